"""Trainings that are interrupted and go on."""

import json
import shutil
import signal

import pytest

pytest.importorskip("lightning")

import torch
from runs import Run, arguments, same, weights_of

from dsflash_ros import cli
from dsflash_ros.model.checkpoints import read_header
from dsflash_ros.training.run.saving import KeepWeights


@pytest.fixture
def cut_and_resume(monkeypatch, capsys):
    """Interrupt a run, as Ctrl-C does, when its first epoch has ended, and go on with it."""

    def cut_and_resume(command):
        with monkeypatch.context() as patch:
            end_epoch = KeepWeights.on_train_epoch_end

            def interrupt(*args):
                end_epoch(*args)
                signal.raise_signal(signal.SIGINT)

            patch.setattr(KeepWeights, "on_train_epoch_end", interrupt)
            assert cli.main(command) == 130
        assert "Traceback" not in capsys.readouterr().err
        assert cli.main([*command, "--resume"]) == 0

    before = signal.getsignal(signal.SIGINT)  # the command ignores a second Ctrl-C
    yield cut_and_resume
    signal.signal(signal.SIGINT, before)


@pytest.mark.slow
def test_resuming_with_loading_processes_and_augmentation_gives_the_same_bits(
    folder, cut_and_resume
):
    """Workers fetch ahead, so that they must know the epoch from the start."""
    options = ["epochs=3", "workers=1", "augmentation=deit3", "precision=bfloat16"]
    assert cli.main(arguments(folder, "ahead", *options)) == 0
    cut_and_resume(arguments(folder, "ahead_cut", *options))
    weights = [weights_of(folder / out / "last.safetensors") for out in ("ahead", "ahead_cut")]
    assert same(*weights)


@pytest.mark.slow
@pytest.mark.parametrize("relater", ["objects", "rgt"])
def test_resuming_with_dropout_and_an_average_gives_the_same_bits(folder, cut_and_resume, relater):
    settings = "{dim: 24, depth: 1, heads: 2, pair_dim: 16, dropout: 0.3}"
    options = ["epochs=3", f"relater={relater}", f"relater_settings={settings}", "ema_decay=0.8"]
    options += ["val_split=train"]
    assert cli.main(arguments(folder, relater, *options)) == 0
    cut_and_resume(arguments(folder, f"{relater}_cut", *options))
    for name in ("last.safetensors", "best.safetensors"):
        weights = [weights_of(folder / out / name) for out in (relater, f"{relater}_cut")]
        assert same(*weights)


@pytest.mark.slow
@pytest.mark.parametrize("backbone", ["lite0", "swin_tiny"])
def test_a_resumed_proscale_has_the_same_bits(folder, cut_and_resume, backbone):
    """With running statistics of batch normalisation, or with paths that are dropped."""
    sizes = "{p1: 1, p2: 0, p3: 1, dim: 32, encoder_ffn: 32, decoder_ffn: 32, decoder_layers: 1}"

    def command(out):
        given = [f"dataset={folder / 'data'}", f"out={folder / out}", f"backbone={backbone}"]
        given += [f"segmenter_settings={sizes}", "val_split=none", "start=null", "device=cpu"]
        quick = ["image_size=64", "num_queries=8", "num_points=64", "warmup_steps=[1,2]"]
        quick += ["batch_size=4", "workers=0", "epochs=2", "precision=float32"]
        return ["train", "segmenter", "proscale_lite0", *given, *quick]

    outs = [f"{backbone}_{kind}" for kind in ("whole", "cut")]
    assert cli.main(command(outs[0])) == 0
    cut_and_resume(command(outs[1]))
    assert same(*(weights_of(folder / out / "last.safetensors") for out in outs))


@pytest.mark.slow
def test_a_resumed_segmenter_has_the_same_bits(folder, cut_and_resume):
    def command(out):
        given = [
            f"dataset={folder / 'data'}",
            f"out={folder / out}",
            "val_split=none",
            "start=null",
        ]
        quick = [
            "image_size=64",
            "num_queries=8",
            "num_points=64",
            "warmup_steps=[1,2]",
            "batch_size=4",
            "workers=1",
        ]
        return ["train", "segmenter", "tiny", *given, *quick, "epochs=3", "device=cpu"]

    assert cli.main(command("seg")) == 0
    cut_and_resume(command("seg_cut"))
    assert same(*(weights_of(folder / out / "last.safetensors") for out in ("seg", "seg_cut")))


@pytest.mark.slow
def test_resuming_after_an_interrupt_gives_the_same_bits(folder, whole_run):
    """Interrupted whenever the signal happens to come, in a process of its own."""
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
def test_a_terminated_run_says_so_by_its_exit_code(folder):
    run = Run(arguments(folder, "terminated", "epochs=500"))
    run.wait_for((folder / "terminated" / "last.ckpt").exists)
    run.terminate()
    output = run.output()
    assert run.returncode == 143, output
    assert "Traceback" not in output


def swapped(names):
    """The same, the first two of them in the other order."""
    return [names[1], names[0], *names[2:]]


def renamed(names):
    return ["other", *names[1:]]


@pytest.fixture
def changing(folder, tmp_path):
    """Commands upon a data set that a test may change, and `change(key, how)`."""
    index = shutil.copytree(folder / "data", tmp_path / "data") / "psg.json"

    def change(key, how):
        content = json.loads(index.read_text())
        content[key] = how(content[key])
        index.write_text(json.dumps(content))

    given = [f"dataset={tmp_path / 'data'}", f"out={tmp_path / 'run'}", "epochs=1"]
    quick = ["val_split=none", "start=null", "image_size=64", "num_queries=8", "num_points=64"]
    quick += ["warmup_steps=[0,0]", "batch_size=4", "workers=0", "device=cpu"]
    commands = {
        "relations": arguments(folder, "changing", *given),
        "segmenter": ["train", "segmenter", "tiny", *given, *quick],
    }
    return commands, change


@pytest.mark.parametrize(
    ("kind", "key", "how", "says"),
    [
        ("relations", "predicate_classes", swapped, "among the predicates"),
        ("relations", "predicate_classes", renamed, "it has 'other' for"),
        ("relations", "data", swapped, "other images, or another order, in train_split"),
        ("segmenter", "thing_classes", swapped, "among the things"),
        ("segmenter", "thing_classes", renamed, "it has 'other' for"),
    ],
)
def test_a_data_set_that_changed_ends_a_resume(changing, tmp_path, capsys, kind, key, how, says):
    commands, change = changing
    assert cli.main(commands[kind]) == 0
    before = (tmp_path / "run/last.safetensors").read_bytes()
    change(key, how)
    capsys.readouterr()
    assert cli.main([*commands[kind], "--resume"]) == 1
    error = capsys.readouterr().err
    assert "has changed since the run began" in error and says in error
    assert "Traceback" not in error
    assert (tmp_path / "run/last.safetensors").read_bytes() == before


def test_a_state_of_an_earlier_version_does_not_tell_the_names_and_goes_on(changing, tmp_path):
    commands, _ = changing
    assert cli.main(commands["relations"]) == 0
    path = tmp_path / "run/last.ckpt"
    state = torch.load(path, weights_only=False)
    state["Loaders"] = {"first_epoch": state["Loaders"]["first_epoch"]}
    torch.save(state, path)
    assert cli.main([*commands["relations"], "--resume"]) == 0
