import json
import resource
import shutil
import signal
from dataclasses import replace

import pytest

pytest.importorskip("lightning")

import torch
from runs import Run, arguments, make_inputs, same, weights_of

from dsflash_ros import cli
from dsflash_ros.data.psg import PsgDataset
from dsflash_ros.data.shapes import VOCABULARY
from dsflash_ros.data.views import EpochSampler
from dsflash_ros.model.checkpoints import load_checkpoint, read_header, save_checkpoint
from dsflash_ros.pipeline import SceneGraphPipeline
from dsflash_ros.training.config import RelationConfig, load_config
from dsflash_ros.training.out_folder import run_folder
from dsflash_ros.training.pairs import pair_targets
from dsflash_ros.training.relation_data import RelationSamples, collate_relations
from dsflash_ros.training.relation_loss import PairInputs, pair_losses
from dsflash_ros.training.schedules import cosine_with_warmup
from dsflash_ros.training.train_relations import prepare_model
from dsflash_ros.vocabulary import Vocabulary


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
    names = {path.name for path in whole_run.iterdir() if path.name != ".lock"}
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
    assert {"train/loss_step", "train/loss_epoch", "val/mR@50", "lr-AdamW", "images_per_s"} <= set(
        curves.Tags()["scalars"]
    )
    assert len(curves.Scalars("val/mR@50")) == 3


def test_the_segmenter_stays_as_it_was(folder, whole_run):
    before, after = weights_of(folder / "segmenter.safetensors"), weights_of(whole_run / "last.safetensors")
    frozen = [name for name in before if name.startswith("segmenter.")]
    assert all(torch.equal(before[name], after[name]) for name in frozen)
    learned = [name for name in after if name.startswith("relations.")]
    assert all(
        not torch.equal(before[name], after[name]) for name in learned if after[name].shape == before[name].shape
    )


def cut_and_resume(command, out):
    """Interrupt a run after its first epoch, and go on with it."""
    run = Run(command)
    run.wait_for((out / "last.ckpt").exists)
    run.send_signal(signal.SIGINT)
    output = run.output()
    assert run.returncode == 130, output
    assert "Traceback" not in output
    assert cli.main([*command, "--resume"]) == 0


@pytest.mark.slow
def test_resuming_with_loading_processes_and_augmentation_gives_the_same_bits(folder):
    """Workers fetch ahead, so that they must know the epoch from the start."""
    options = ["epochs=3", "workers=1", "augmentation=deit3", "precision=bfloat16"]
    assert cli.main(arguments(folder, "ahead", *options)) == 0
    cut_and_resume(arguments(folder, "ahead_cut", *options), folder / "ahead_cut")
    weights = [weights_of(folder / out / "last.safetensors") for out in ("ahead", "ahead_cut")]
    assert same(*weights)


@pytest.mark.slow
def test_a_resumed_segmenter_has_the_same_bits(folder):
    def command(out):
        given = [f"dataset={folder / 'data'}", f"out={folder / out}", "val_split=none", "start=null"]
        quick = ["image_size=64", "num_queries=8", "num_points=64", "warmup_steps=[1,2]", "batch_size=4", "workers=1"]
        return ["train", "segmenter", "tiny", *given, *quick, "epochs=3", "device=cpu"]

    assert cli.main(command("seg")) == 0
    cut_and_resume(command("seg_cut"), folder / "seg_cut")
    assert same(*(weights_of(folder / out / "last.safetensors") for out in ("seg", "seg_cut")))


@pytest.mark.slow
def test_resuming_after_an_interrupt_gives_the_same_bits(folder, whole_run):
    cut_and_resume(arguments(folder, "cut", "epochs=3", "val_split=train"), folder / "cut")
    for name in ("last.safetensors", "best.safetensors"):
        assert same(weights_of(folder / "cut" / name), weights_of(whole_run / name))
    assert (
        read_header(folder / "cut" / "last.safetensors").scores.keys()
        == read_header(whole_run / "last.safetensors").scores.keys()
    )


def learn_by_hand(folder, settings, processes):
    """What `processes` processes should learn together: a loop over the steps that averages their gradients."""
    config = load_config(RelationConfig, "tiny", settings, "relations")
    records = list(PsgDataset.open(config.dataset, "train"))
    model, header = prepare_model(config, VOCABULARY)
    stage, samples = model.relations, RelationSamples(records, header.config)
    optimizer = torch.optim.AdamW(stage.parameters(), weight_decay=config.weight_decay)
    shares = [EpochSampler(range(len(records)), rank=rank, world_size=processes) for rank in range(processes)]
    total = config.epochs * len(shares[0]) // config.batch_size
    for step in range(total):
        epoch, position = divmod(step, total // config.epochs)
        optimizer.zero_grad()
        for share in shares:
            share.set_epoch(epoch)
            keys = list(share)[position * config.batch_size : (position + 1) * config.batch_size]
            batch = collate_relations([samples[key] for key in keys])
            features = model.segmenter.eval()(batch.images / 255).features.detach()
            inputs = PairInputs(stage.embed_patches(features), batch.coverage, batch.boxes, batch.image_of)
            targets = pair_targets(batch.relations, batch.pairs, len(VOCABULARY.predicates))
            parts = pair_losses(stage, inputs, batch.pairs, targets)
            ((parts.cross_entropy + config.consistency_weight * parts.consistency) / processes).backward()
        torch.nn.utils.clip_grad_norm_(stage.parameters(), config.gradient_clip)
        optimizer.param_groups[0]["lr"] = config.lr * cosine_with_warmup(step, round(0.05 * total), total)
        optimizer.step()
    return stage.state_dict()


@pytest.mark.slow
@pytest.mark.parametrize("processes", [1, 2])
def test_processes_learn_what_a_plain_loop_learns(folder, processes):
    """DDP on two CPU processes, and one alone, against the steps written out."""
    out = f"processes{processes}"
    command = arguments(folder, out, "epochs=2", "val_split=train", f"devices={processes}", "batch_size=2")
    run = Run(command)
    output = run.output()
    assert run.returncode == 0, output
    assert output.count("epoch 2/2") == 1, "only one of them tells"
    learned, _ = load_checkpoint(folder / out / "last.safetensors")
    expected = learn_by_hand(folder, command[3:], processes)
    for name, tensor in learned.relations.state_dict().items():
        assert torch.allclose(tensor, expected[name], atol=2e-5), name


@pytest.mark.slow
@pytest.mark.parametrize("out", ["whole", "processes2"])
def test_validation_says_what_eval_says(folder, whole_run, out):
    """The scores of a run's last weights, of all processes' images together, and those of `dsflash eval`."""
    weights = folder / out / "last.safetensors"
    command = ["eval", str(folder / "data"), "--weights", str(weights), "--split", "train", "--protocol", "predcls"]
    assert cli.main([*command, "--no-speed", "--device", "cpu", "--json", str(folder / f"scores-{out}.json")]) == 0
    evaluated, trained = json.loads((folder / f"scores-{out}.json").read_text()), read_header(weights).scores
    for name in ("R@20", "R@50", "mR@20", "mR@50"):
        assert evaluated["relations"][name] == pytest.approx(trained[f"val/{name}"], abs=2e-5)


@pytest.mark.parametrize(
    "option",
    ["pruning=true", "balance_predicates=true", "precision=bfloat16", "negative_share=0"],
)
def test_every_option_trains(folder, option):
    out = option.replace("=", "-")
    assert cli.main(arguments(folder, out, "epochs=1", "val_split=train", option)) == 0
    before = weights_of(folder / "segmenter.safetensors")
    after = weights_of(folder / out / "best.safetensors")
    assert all(torch.isfinite(tensor).all() for tensor in after.values())
    assert not torch.equal(before["relations.class_token"], after["relations.class_token"])


def test_a_segmenter_that_finds_nothing_leaves_nothing_to_learn(folder, capsys):
    assert cli.main(arguments(folder, "nothing", "epochs=1", "masks_from=segmenter")) == 1
    assert "no pair of segments to learn from in epoch 1" in capsys.readouterr().err


def test_a_run_goes_on_from_trained_relations(folder, whole_run):
    weights = whole_run / "best.safetensors"
    keep = ["keep_relations=true", f"segmenter={weights}", "epochs=1", "lr=1e-30"]
    assert cli.main(arguments(folder, "kept", *keep)) == 0
    before, after = weights_of(weights), weights_of(folder / "kept" / "best.safetensors")
    assert all(torch.allclose(before[name], after[name]) for name in before)


def test_relations_that_cannot_be_kept(folder, whole_run, capsys):
    keep = ["keep_relations=true", "epochs=1"]
    assert cli.main(arguments(folder, "kept2", *keep)) == 1
    assert "there is nothing to keep" in capsys.readouterr().err
    weights = f"segmenter={whole_run / 'best.safetensors'}"
    assert cli.main(arguments(folder, "kept2", *keep, weights, "neck_dim=64")) == 1
    assert "has neck_dim=32, neck_depth=2, neck_heads=2; set these, or null" in capsys.readouterr().err


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


def test_a_run_can_move_and_tells_when_it_is_complete(folder, whole_run, caplog):
    shutil.copytree(whole_run, folder / "moved")
    (folder / "moved" / "best.safetensors").unlink()
    assert cli.main([*arguments(folder, "moved", "epochs=3", "val_split=train"), "--resume"]) == 0
    assert "complete already: 3 epochs" in caplog.text


def test_a_segmenter_that_changed_ends_a_resume(folder, whole_run, tmp_path, capsys):
    out = folder / "upon"
    shutil.copy(folder / "segmenter.safetensors", tmp_path)
    command = arguments(folder, "upon", "epochs=1", f"segmenter={tmp_path / 'segmenter.safetensors'}")
    assert cli.main(command) == 0
    model, header = load_checkpoint(folder / "segmenter.safetensors")
    with torch.no_grad():
        model.segmenter.q.weight.add_(1)
    save_checkpoint(tmp_path / "segmenter.safetensors", model, header)
    (out / "config.yaml").write_text((out / "config.yaml").read_text().replace("epochs: 1", "epochs: 2"))
    assert cli.main([*command, "epochs=2", "--resume"]) == 1
    assert "has changed since the run began" in capsys.readouterr().err


def test_two_runs_in_one_folder(folder, capsys):
    with run_folder(load_config(RelationConfig, "tiny", arguments(folder, "shared")[3:], "relations"), False, True):
        assert cli.main(arguments(folder, "shared", "epochs=1")) == 1
    assert "another run is at work" in capsys.readouterr().err
    assert cli.main(arguments(folder, "shared", "epochs=1")) == 0


def test_a_terminated_run_says_so_by_its_exit_code(folder):
    run = Run(arguments(folder, "terminated", "epochs=500"))
    run.wait_for((folder / "terminated" / "last.ckpt").exists)
    run.terminate()
    output = run.output()
    assert run.returncode == 143, output
    assert "Traceback" not in output


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
    command = arguments(folder, f"mixed{workers}", f"dataset={data}", "epochs=1", f"workers={workers}")
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
    assert cli.main([*arguments(folder, "whole", "epochs=3", "val_split=train", "lr=2e-3"), "--resume"]) == 1
    assert "lr was 0.001, now 0.002" in capsys.readouterr().err


def test_a_loss_that_is_not_finite_ends_the_run(folder, capsys):
    assert cli.main(arguments(folder, "diverged", "epochs=2", "lr=1e30", "gradient_clip=0", "warmup_share=0")) == 1
    error = capsys.readouterr().err
    assert "the loss became" in error and "smaller lr" in error and "float32" not in error


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
    assert "cannot write" in output
    assert "Traceback" not in output
    assert {path.name: path.read_bytes() for path in (folder / "full").glob("*.safetensors")} == before
    assert not list((folder / "full").glob("*.partial")) and not list((folder / "full").glob(".*.partial"))
