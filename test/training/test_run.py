import resource
import signal
import sys
from pathlib import Path

import pytest

pytest.importorskip("lightning")
sys.path.insert(0, str(Path(__file__).parent))

import torch
from runs import Run, arguments, make_inputs, same, weights_of

from dsflash_ros import cli
from dsflash_ros.model.checkpoints import load_checkpoint, read_header
from dsflash_ros.pipeline import SceneGraphPipeline


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    make_inputs(folder)
    return folder


@pytest.fixture(scope="module")
def whole_run(folder):
    """Three epochs, never interrupted."""
    assert cli.main(arguments(folder, "whole", "epochs=3", "val_split=train")) == 0
    return folder / "whole"


def test_a_run_leaves_weights_curves_and_its_configuration(whole_run):
    names = {path.name for path in whole_run.iterdir()}
    assert names == {"best.safetensors", "last.safetensors", "last.ckpt", "config.yaml", "scores.jsonl", "curves"}
    assert len((whole_run / "scores.jsonl").read_text().splitlines()) == 3
    header = read_header(whole_run / "best.safetensors")
    assert header.trained == ("segmenter", "relations")
    assert header.recipe["relations"]["lr"] == 1e-3
    assert "val/mR@50" in header.scores
    assert SceneGraphPipeline.from_weights(whole_run / "best.safetensors", device="cpu").relates


def test_tensorboard_reads_the_curves(whole_run):
    event_accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    curves = event_accumulator.EventAccumulator(str(whole_run / "curves"))
    curves.Reload()
    assert {"train/loss", "val/mR@50", "lr-AdamW", "images_per_s"} <= set(curves.Tags()["scalars"])
    assert len(curves.Scalars("val/mR@50")) == 3


def test_the_segmenter_stays_as_it_was(folder, whole_run):
    before, after = weights_of(folder / "segmenter.safetensors"), weights_of(whole_run / "last.safetensors")
    frozen = [name for name in before if name.startswith("segmenter.")]
    assert all(torch.equal(before[name], after[name]) for name in frozen)
    learned = [name for name in after if name.startswith("relations.")]
    assert all(
        not torch.equal(before[name], after[name]) for name in learned if after[name].shape == before[name].shape
    )


@pytest.mark.slow
def test_resuming_after_an_interrupt_gives_the_same_bits(folder, whole_run):
    command = arguments(folder, "cut", "epochs=3", "val_split=train")
    run = Run(command)
    run.wait_for((folder / "cut" / "last.ckpt").exists)
    run.send_signal(signal.SIGINT)
    output = run.output()
    assert run.returncode == 130, output
    assert "Traceback" not in output
    assert cli.main([*command, "--resume"]) == 0
    for name in ("last.safetensors", "best.safetensors"):
        assert same(weights_of(folder / "cut" / name), weights_of(whole_run / name))
    assert (
        read_header(folder / "cut" / "last.safetensors").scores.keys()
        == read_header(whole_run / "last.safetensors").scores.keys()
    )


@pytest.mark.slow
def test_two_processes_learn_what_one_learns(folder):
    """DDP: two processes with one image a step each make the steps of one process with two."""
    assert cli.main(arguments(folder, "one", "epochs=2", "val_split=train")) == 0
    run = Run(arguments(folder, "two", "epochs=2", "val_split=train", "devices=2", "batch_size=1"))
    output = run.output()
    assert run.returncode == 0, output
    assert output.count("epoch 2/2") == 1, "only one of them tells"
    one, two = (load_checkpoint(folder / name / "last.safetensors") for name in ("one", "two"))
    assert two[1].scores["val/mR@50"] > 0
    del one


def test_a_folder_that_holds_a_run_is_not_overwritten(folder, whole_run, capsys):
    assert cli.main(arguments(folder, "whole", "epochs=3")) == 1
    assert "holds a run already" in capsys.readouterr().err


def test_resuming_what_is_not_there_or_was_configured_otherwise(folder, whole_run, capsys):
    assert cli.main([*arguments(folder, "nowhere"), "--resume"]) == 1
    assert "nothing to resume" in capsys.readouterr().err
    assert not (folder / "nowhere").exists()
    assert cli.main([*arguments(folder, "whole", "epochs=3", "val_split=train", "lr=2e-3"), "--resume"]) == 1
    assert "lr was 0.001, now 0.002" in capsys.readouterr().err


def test_a_loss_that_is_not_finite_ends_the_run(folder, capsys):
    assert cli.main(arguments(folder, "diverged", "epochs=2", "lr=1e30", "gradient_clip=0", "warmup_share=0")) == 1
    error = capsys.readouterr().err
    assert "the loss is" in error and "smaller lr" in error


@pytest.mark.slow
def test_a_loading_process_that_dies(folder):
    import psutil

    run = Run(arguments(folder, "orphan", "epochs=2000", "workers=1"))
    run.wait_for((folder / "orphan" / "last.ckpt").exists)
    (worker,) = [child for child in psutil.Process(run.pid).children() if child.cmdline()[-1] == "workers=1"]
    worker.send_signal(signal.SIGKILL)
    output = run.output()
    assert run.returncode == 1
    assert "a process that loads images died" in output
    assert "Traceback" not in output


@pytest.mark.slow
def test_a_full_disk_leaves_the_last_good_checkpoint(folder):
    """The limit on the size of files stands for the disk: what a process gets is an error from write()."""
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
    assert "cannot write" in output and "cannot write" in output
    assert "Traceback" not in output
    assert {path.name: path.read_bytes() for path in (folder / "full").glob("*.safetensors")} == before
    assert not list((folder / "full").glob("*.partial")) and not list((folder / "full").glob(".*.partial"))
