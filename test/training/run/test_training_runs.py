import json
import shutil

import pytest

pytest.importorskip("lightning")

import torch
from runs import CELLS, Run, arguments, weights_of

from dsflash_ros import cli
from dsflash_ros.data.psg import PsgDataset
from dsflash_ros.data.shapes import VOCABULARY
from dsflash_ros.data.views import EpochSampler
from dsflash_ros.model.checkpoints import load_checkpoint, read_header
from dsflash_ros.pipeline import device
from dsflash_ros.pipeline.pipeline import SceneGraphPipeline
from dsflash_ros.training.configuration import RelationConfig
from dsflash_ros.training.configuration_files import load_config
from dsflash_ros.training.relations.pairs import pair_targets
from dsflash_ros.training.relations.relation_data import RelationSamples, collate_relations
from dsflash_ros.training.relations.relation_loss import pair_losses
from dsflash_ros.training.relations.relation_training import RelationTraining
from dsflash_ros.training.relations.train_relations import prepare_model
from dsflash_ros.training.run.schedules import cosine_with_warmup


def test_a_run_leaves_weights_curves_and_its_configuration(whole_run):
    names = {path.name for path in whole_run.iterdir() if path.name != ".lock"}
    assert names == {
        "best.safetensors",
        "last.safetensors",
        "last.ckpt",
        "config.yaml",
        "scores.jsonl",
        "curves",
    }
    assert len((whole_run / "scores.jsonl").read_text().splitlines()) == 3
    header = read_header(whole_run / "best.safetensors")
    assert header.trained == ("segmenter", "relations")
    assert header.recipe["relations"]["lr"] == 1e-3
    assert "val/mR@50" in header.scores
    assert SceneGraphPipeline.from_weights(whole_run / "best.safetensors", device="cpu").relates


def test_tensorboard_reads_the_curves(whole_run):
    event_accumulator = pytest.importorskip(
        "tensorboard.backend.event_processing.event_accumulator"
    )
    curves = event_accumulator.EventAccumulator(str(whole_run / "curves"))
    curves.Reload()
    assert {"train/loss_step", "train/loss_epoch", "val/mR@50", "lr-AdamW", "images_per_s"} <= set(
        curves.Tags()["scalars"]
    )
    assert len(curves.Scalars("val/mR@50")) == 3


def test_the_segmenter_stays_as_it_was(folder, whole_run):
    before, after = (
        weights_of(folder / "segmenter.safetensors"),
        weights_of(whole_run / "last.safetensors"),
    )
    frozen = [name for name in before if name.startswith("segmenter.")]
    assert all(torch.equal(before[name], after[name]) for name in frozen)
    learned = [name for name in after if name.startswith("relations.")]
    assert all(
        not torch.equal(before[name], after[name])
        for name in learned
        if after[name].shape == before[name].shape
    )


def test_an_average_of_the_weights_is_validated_and_stored(folder, monkeypatch):
    """The weights after each step are recorded, and averaged here by themselves."""
    steps, validated = [], []

    def record(training, *_):
        steps.append(
            {n: p.detach().clone() for n, p in training.model.relations.named_parameters()}
        )

    def validate(training):
        validated.append(training.model.relations.head[-1].bias.detach().clone())

    monkeypatch.setattr(RelationTraining, "on_train_batch_end", record)
    monkeypatch.setattr(RelationTraining, "on_validation_epoch_start", validate)
    options = ["epochs=2", "ema_decay=0.25", "val_split=train"]
    assert cli.main(arguments(folder, "averaged", *options)) == 0
    average, after_epoch = steps[0], []
    for number, weights in enumerate(steps):
        if number:
            keep = min(0.25, number / (10 + number))
            average = {n: keep * average[n] + (1 - keep) * weights[n] for n in average}
        if number + 1 in (len(steps) // 2, len(steps)):
            after_epoch.append(average)
    stored = weights_of(folder / "averaged" / "last.safetensors")
    for name, tensor in average.items():
        torch.testing.assert_close(stored[f"relations.{name}"], tensor)
        assert tensor.is_floating_point() and not torch.equal(tensor, steps[-1][name])
    for seen, expected in zip(validated, after_epoch, strict=True):
        torch.testing.assert_close(seen, expected["head.2.bias"])


def learn_by_hand(folder, settings, processes):
    """What `processes` processes should learn together: a loop over the steps that averages their
    gradients.
    """
    config = load_config(RelationConfig, "tiny", settings, "relations")
    records = list(PsgDataset.open(config.dataset, "train"))
    model, header = prepare_model(config, VOCABULARY)
    stage, samples = model.relations, RelationSamples(records, header.config, *CELLS)
    optimizer = torch.optim.AdamW(stage.parameters(), weight_decay=config.weight_decay)
    shares = [
        EpochSampler(range(len(records)), rank=rank, world_size=processes)
        for rank in range(processes)
    ]
    total = config.epochs * len(shares[0]) // config.batch_size
    for step in range(total):
        epoch, position = divmod(step, total // config.epochs)
        optimizer.zero_grad()
        for share in shares:
            share.set_epoch(epoch)
            keys = list(share)[position * config.batch_size : (position + 1) * config.batch_size]
            batch = collate_relations([samples[key] for key in keys])
            features = model.segmenter.eval()(batch.images / 255).features.detach()
            inputs = batch.pair_inputs(stage.prepare(features))
            targets = pair_targets(batch.relations, batch.pairs, len(VOCABULARY.predicates))
            parts = pair_losses(stage, inputs, targets)
            (
                (parts.cross_entropy + config.consistency_weight * parts.consistency) / processes
            ).backward()
        torch.nn.utils.clip_grad_norm_(stage.parameters(), config.gradient_clip)
        optimizer.param_groups[0]["lr"] = config.lr * cosine_with_warmup(
            step, round(0.05 * total), total
        )
        optimizer.step()
    return stage.state_dict()


@pytest.mark.slow
@pytest.mark.parametrize("processes", [1, 2])
def test_processes_learn_what_a_plain_loop_learns(folder, processes, capsys):
    """DDP on two CPU processes, and one alone, against the steps written out."""
    out = f"processes{processes}"
    command = arguments(
        folder, out, "epochs=2", "val_split=train", f"devices={processes}", "batch_size=2"
    )
    if processes == 1:
        assert cli.main(command) == 0
        output = capsys.readouterr().out
    else:
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
    """The scores of a run's last weights, of all processes' images together, and those of `dsflash
    eval`.
    """
    weights = folder / out / "last.safetensors"
    command = [
        "eval",
        str(folder / "data"),
        "--weights",
        str(weights),
        "--split",
        "train",
        "--protocol",
        "predcls",
    ]
    assert (
        cli.main(
            [
                *command,
                "--device",
                "cpu",
                "--json",
                str(folder / f"scores-{out}.json"),
            ]
        )
        == 0
    )
    evaluated, trained = (
        json.loads((folder / f"scores-{out}.json").read_text()),
        read_header(weights).scores,
    )
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


@pytest.mark.parametrize(("in_hardware", "meant"), [(True, "bfloat16"), (False, "float32")])
def test_auto_is_the_precision_that_the_processor_has(folder, monkeypatch, in_hardware, meant):
    monkeypatch.setattr(device, "has_bfloat16", lambda: in_hardware)
    out = folder / f"auto-{meant}"
    options = ["epochs=1", "val_split=none", "precision=auto"]
    assert cli.main(arguments(folder, out.name, *options)) == 0
    assert f"precision: {meant}\n" in (out / "config.yaml").read_text()
    assert read_header(out / "last.safetensors").recipe["relations"]["precision"] == meant


def test_a_run_goes_on_from_trained_relations(folder, whole_run):
    weights = whole_run / "best.safetensors"
    keep = ["keep_relations=true", f"segmenter={weights}", "epochs=1", "lr=1e-30"]
    assert cli.main(arguments(folder, "kept", *keep)) == 0
    before, after = weights_of(weights), weights_of(folder / "kept" / "best.safetensors")
    assert all(torch.allclose(before[name], after[name]) for name in before)


def test_a_run_can_move_and_tells_when_it_is_complete(folder, whole_run, caplog):
    shutil.copytree(whole_run, folder / "moved")
    (folder / "moved" / "best.safetensors").unlink()
    assert cli.main([*arguments(folder, "moved", "epochs=3", "val_split=train"), "--resume"]) == 0
    assert "complete already: 3 epochs" in caplog.text
