"""What bad input gets: one sentence, nothing half-written."""

import json
import resource
import shutil
import signal
from dataclasses import replace

import pytest

pytest.importorskip("lightning")

import torch
from runs import Run, arguments

from dsflash_ros import cli
from dsflash_ros.data.shapes import VOCABULARY
from dsflash_ros.errors import TrainingError
from dsflash_ros.graph.vocabulary import Vocabulary
from dsflash_ros.model.checkpoints import load_checkpoint, save_checkpoint
from dsflash_ros.training.configuration import RelationConfig
from dsflash_ros.training.configuration_files import load_config
from dsflash_ros.training.run.fit import _explain
from dsflash_ros.training.run.out_folder import run_folder


def test_a_segmenter_that_finds_nothing_leaves_nothing_to_learn(folder, capsys):
    assert cli.main(arguments(folder, "nothing", "epochs=1", "masks_from=segmenter")) == 1
    assert "no pair of segments to learn from in epoch 1" in capsys.readouterr().err


def test_relations_that_cannot_be_kept(folder, whole_run, capsys):
    keep = ["keep_relations=true", "epochs=1"]
    assert cli.main(arguments(folder, "kept2", *keep)) == 1
    assert "there is nothing to keep" in capsys.readouterr().err
    weights = f"segmenter={whole_run / 'best.safetensors'}"
    assert cli.main(arguments(folder, "kept2", *keep, weights, "neck_dim=64")) == 1
    assert (
        "has neck_dim=32, neck_depth=2, neck_heads=2; set these, or null" in capsys.readouterr().err
    )


def test_predicates_that_tell_sides_apart_are_not_mirrored(folder, tmp_path, capsys):
    data = tmp_path / "data"
    shutil.copytree(folder / "data", data)
    annotations = json.loads((data / "psg.json").read_text())
    annotations["predicate_classes"][4] = "left of"
    (data / "psg.json").write_text(json.dumps(annotations))
    command = arguments(folder, "sides", f"dataset={data}", "epochs=1")
    assert cli.main([*command, "augmentation=flip"]) == 1
    assert "mirrors images, after which 'left of' would be wrong" in capsys.readouterr().err
    assert cli.main(command) == 0


@pytest.mark.parametrize("damage", ["empty", "cut", "other"])
def test_a_damaged_state_cannot_be_resumed(folder, whole_run, capsys, damage):
    out = folder / f"damaged-{damage}"
    shutil.copytree(whole_run, out)
    state = out / "last.ckpt"
    if damage == "other":
        torch.save({"a": 1}, state)
    else:
        state.write_bytes(state.read_bytes()[: 0 if damage == "empty" else 5000])
    assert cli.main([*arguments(folder, out.name, "epochs=3", "val_split=train"), "--resume"]) == 1
    error = capsys.readouterr().err
    assert f"cannot resume from {state}" in error and "Traceback" not in error


def test_a_segmenter_that_changed_ends_a_resume(folder, whole_run, tmp_path, capsys):
    out = folder / "upon"
    shutil.copy(folder / "segmenter.safetensors", tmp_path)
    command = arguments(
        folder, "upon", "epochs=1", f"segmenter={tmp_path / 'segmenter.safetensors'}"
    )
    assert cli.main(command) == 0
    model, header = load_checkpoint(folder / "segmenter.safetensors")
    with torch.no_grad():
        model.segmenter.q.weight.add_(1)
    save_checkpoint(tmp_path / "segmenter.safetensors", model, header)
    (out / "config.yaml").write_text(
        (out / "config.yaml").read_text().replace("epochs: 1", "epochs: 2")
    )
    assert cli.main([*command, "epochs=2", "--resume"]) == 1
    assert "has changed since the run began" in capsys.readouterr().err


def test_two_runs_in_one_folder(folder, capsys):
    with run_folder(
        load_config(RelationConfig, "tiny", arguments(folder, "shared")[3:], "relations"),
        False,
        True,
    ):
        assert cli.main(arguments(folder, "shared", "epochs=1")) == 1
    assert "another run is at work" in capsys.readouterr().err
    assert cli.main(arguments(folder, "shared", "epochs=1")) == 0


def test_splits_that_are_too_small(folder, capsys):
    assert cli.main(arguments(folder, "small", "val_split=test")) == 1
    assert "the split 'test'" in capsys.readouterr().err
    assert not (folder / "small").exists()


def test_a_segmenter_of_other_classes_is_refused(folder, tmp_path, capsys):
    vocabulary = Vocabulary(VOCABULARY.things[::-1], VOCABULARY.stuff, VOCABULARY.predicates)
    model, header = load_checkpoint(folder / "segmenter.safetensors")
    save_checkpoint(tmp_path / "other.safetensors", model, replace(header, vocabulary=vocabulary))
    save_checkpoint(tmp_path / "untrained.safetensors", model, replace(header, trained=()))
    for name, message in (
        ("other", "it has 'bar' for 'ball' among the things"),
        ("untrained", "is untrained; train it first"),
    ):
        assert cli.main(arguments(folder, name, f"segmenter={tmp_path / name}.safetensors")) == 1
        assert message in capsys.readouterr().err
        assert not (folder / name).exists()


@pytest.mark.parametrize("workers", [0, 1])
def test_masks_that_disagree_with_the_json_end_the_run(folder, tmp_path, capsys, workers):
    data = tmp_path / "data"
    shutil.copytree(folder / "data", data)
    annotations = json.loads((data / "psg.json").read_text())
    annotations["data"][5]["segments_info"][0]["id"] = 77777
    (data / "psg.json").write_text(json.dumps(annotations))
    command = arguments(
        folder, f"mixed{workers}", f"dataset={data}", "epochs=1", f"workers={workers}"
    )
    assert cli.main(command) == 1
    error = capsys.readouterr().err
    assert error.count("masks and JSON disagree") == 1
    assert "Traceback" not in error


def test_a_folder_that_holds_a_run_is_not_overwritten(folder, whole_run, capsys):
    assert cli.main(arguments(folder, "whole", "epochs=3")) == 1
    assert "holds a run already" in capsys.readouterr().err


def test_resuming_what_is_not_there_or_was_configured_otherwise(folder, whole_run, capsys):
    assert cli.main([*arguments(folder, "nowhere"), "--resume"]) == 1
    assert "nothing to resume" in capsys.readouterr().err
    assert not (folder / "nowhere").exists()
    assert (
        cli.main(
            [*arguments(folder, "whole", "epochs=3", "val_split=train", "lr=2e-3"), "--resume"]
        )
        == 1
    )
    assert "lr was 0.001, now 0.002" in capsys.readouterr().err


def test_a_loss_that_is_not_finite_ends_the_run(folder, capsys):
    assert (
        cli.main(
            arguments(
                folder, "diverged", "epochs=2", "lr=1e30", "gradient_clip=0", "warmup_share=0"
            )
        )
        == 1
    )
    error = capsys.readouterr().err
    assert "the loss became" in error and "smaller lr" in error and "float32" not in error


@pytest.mark.slow
def test_a_loading_process_that_dies(folder):
    import psutil

    run = Run(arguments(folder, "orphan", "epochs=2000", "workers=1"))
    run.wait_for((folder / "orphan" / "last.ckpt").exists)
    (worker,) = [
        child for child in psutil.Process(run.pid).children() if child.cmdline()[-1] == "workers=1"
    ]
    worker.send_signal(signal.SIGKILL)
    output = run.output()
    assert run.returncode == 1
    assert "a process that loads images died" in output
    assert "Traceback" not in output


@pytest.mark.parametrize(
    "error",
    [
        ConnectionResetError(104, "Connection reset by peer"),
        ConnectionRefusedError(111, "refused"),
        EOFError(),
    ],
)
def test_a_lost_connection_is_that_of_a_loading_process_or_of_another_device(error, tmp_path):
    with pytest.raises(TrainingError, match="a process that loads images died"):
        _explain(error, tmp_path, devices=1)
    with pytest.raises(TrainingError, match="another process of this run ended"):
        _explain(error, tmp_path, devices=2)


@pytest.mark.slow
def test_a_full_disk_leaves_the_last_good_checkpoint(folder):
    """The limit on the size of files stands for the disk: what a process gets is an error from
    write().
    """
    command = arguments(folder, "full", "epochs=1")
    assert cli.main(command) == 0
    before = {path.name: path.read_bytes() for path in (folder / "full").glob("*.safetensors")}
    size = max(len(data) for data in before.values())

    def limit():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size // 2, size // 2))

    config = folder / "full" / "config.yaml"
    config.write_text(config.read_text().replace("epochs: 1", "epochs: 2"))
    run = Run([*arguments(folder, "full", "epochs=2"), "--resume"], preexec_fn=limit)
    output = run.output()
    assert run.returncode == 1, output
    assert "cannot write" in output
    assert "Traceback" not in output
    assert {
        path.name: path.read_bytes() for path in (folder / "full").glob("*.safetensors")
    } == before
    assert not list((folder / "full").glob("*.partial")) and not list(
        (folder / "full").glob(".*.partial")
    )
