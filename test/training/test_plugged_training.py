"""A segmenter and a relation stage from outside are trained, evaluated and calibrated."""

import json
from dataclasses import replace

import pytest

pytest.importorskip("lightning")

import torch
from toy_models import NECK, TOY, saved, write_stripes

from dsflash_ros import cli
from dsflash_ros.data.psg import PsgDataset
from dsflash_ros.data.shapes import VOCABULARY
from dsflash_ros.evaluation.runner import evaluate
from dsflash_ros.model.assembly import DSFlash
from dsflash_ros.model.checkpoints import load_checkpoint, read_header, save_checkpoint
from dsflash_ros.pipeline.options import Options
from dsflash_ros.pipeline.pipeline import SceneGraphPipeline


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    write_stripes(folder)
    return folder


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    return saved(tmp_path_factory.mktemp("weights") / "toy.safetensors")


def train(kind, data, out, *settings):
    quick = ["workers=0", "device=cpu", "batch_size=2", "augmentation=none", *settings]
    where = [f"dataset={data}", f"out={out}", "val_split=test"]
    return cli.main(["train", kind, "tiny", *where, *quick])


def changed(before, after):
    """The parts of the model in which at least one tensor differs."""
    one, other = (load_checkpoint(path)[0].state_dict() for path in (before, after))
    return {name.split(".")[0] for name in one if not torch.equal(one[name], other[name])}


KEEP = ["keep_relations=true", "neck_dim=null", "neck_depth=null", "neck_heads=null"]


@pytest.mark.parametrize(
    "settings",
    [
        (),
        ("masks_from=segmenter", "negative_share=9"),
        ("feature_cache=CACHE", "augmentation=flip"),
        ("precision=bfloat16", "balance_predicates=true"),
    ],
    ids=lambda settings: " ".join(settings) or "plain",
)
def test_a_relation_stage_is_trained(data, weights, tmp_path, settings):
    settings = [setting.replace("CACHE", str(tmp_path / "cache")) for setting in settings]
    start = [f"segmenter={weights}", "epochs=2", "lr=1e-2", "pairs_at_once=3"]
    assert train("relations", data, tmp_path / "out", *start, *KEEP, *settings) == 0
    assert changed(weights, tmp_path / "out/last.safetensors") == {"relations"}
    lines = (tmp_path / "out/scores.jsonl").read_text().splitlines()
    losses = [json.loads(line)["train/loss"] for line in lines]
    assert losses[1] < losses[0]
    header = read_header(tmp_path / "out/best.safetensors")
    assert header.config == TOY and header.trained == ("segmenter", "relations")


@pytest.fixture(scope="module")
def trained(data, weights, tmp_path_factory):
    out = tmp_path_factory.mktemp("trained")
    start = [f"segmenter={weights}", "epochs=10", "lr=5e-2", *KEEP]
    assert train("relations", data, out, *start) == 0
    return out / "best.safetensors"


def test_what_was_learned_is_what_eval_finds(data, trained):
    """The stripes are found and their relations are learned: all ways to them agree."""
    options = Options(relation_threshold=0, max_relations=100)
    pipeline = SceneGraphPipeline.from_weights(trained, device="cpu", options=options)
    for protocol in ("predcls", "sgdet"):
        found = evaluate(pipeline, PsgDataset.open(data, "test"), protocol).results()
        assert found["relations"]["R@20"] == pytest.approx(1)
        assert found["panoptic"] is None or found["panoptic"]["PQ"] == pytest.approx(1)
    logged = read_header(trained).scores
    assert logged["val/R@20"] == pytest.approx(1)


def test_calibration_rescales_any_stage(data, trained, tmp_path):
    out = tmp_path / "calibrated.safetensors"
    command = ["weights", "calibrate", str(trained), str(data), "--split", "test"]
    assert cli.main([*command, "--device", "cpu", "--out", str(out)]) == 0
    found = read_header(out).recipe["calibration"]
    before, after = (load_checkpoint(path)[0].relations.head for path in (trained, out))
    torch.testing.assert_close(after.weight[0], found["slope"] * before.weight[0])
    assert torch.equal(after.weight[1:], before.weight[1:])


def test_a_new_relation_stage_of_any_kind_for_a_segmenter_of_any_kind(data, weights, tmp_path):
    neck = [f"{key}={value}" for key, value in NECK.items()]
    start = [f"segmenter={weights}", "epochs=1", *neck]
    assert train("relations", data, tmp_path / "neck", *start, "relater=dsflash") == 0
    found = read_header(tmp_path / "neck/best.safetensors").config
    assert found == replace(TOY, relater="dsflash", **NECK)
    start[0] = f"segmenter={tmp_path / 'neck/best.safetensors'}"
    more = ["relater=boxes", "relater_settings={colours: 4}"]
    assert train("relations", data, tmp_path / "boxes", *start, *more) == 0
    model, header = load_checkpoint(tmp_path / "boxes/best.safetensors")
    assert header.config == replace(TOY, relater_settings={"colours": 4}, **NECK)
    assert model.relations.colour.out_features == 4


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        (["pruning=true"], "the relation stage 'boxes' has nothing to prune"),
        (["keep_relations=true", "relater=dsflash"], "is 'boxes'; set relater to this, or null"),
        (
            ["keep_relations=true", "relater_settings={colours: 9}"],
            "has relater_settings={}; set these, or null",
        ),
        (
            ["relater=spade"],
            "there is no relation stage 'spade', only dsflash, objects, rgt, boxes",
        ),
    ],
)
def test_settings_that_the_relation_stage_cannot_have(
    data, weights, tmp_path, capsys, settings, says
):
    assert train("relations", data, tmp_path, f"segmenter={weights}", *settings) == 1
    assert says in capsys.readouterr().err


def test_a_segmenter_is_trained_and_can_be_the_start_of_another(data, tmp_path, capsys):
    kind = ["segmenter=stripes", "segmenter_settings={stripes: 5}", "image_size=72"]
    quick = ["epochs=2", "num_points=64", "warmup_steps=[0,1]", "lr=1e-2"]
    assert train("segmenter", data, tmp_path / "one", *kind, *quick, "start=null") == 0
    path = tmp_path / "one/last.safetensors"
    header = read_header(path)
    assert (header.trained, header.config.relater) == (("segmenter",), "dsflash")
    assert header.scores["val/PQ"] > 0
    assert header.config.segmenter_settings == {"stripes": 5}
    assert "mask_probability" not in (tmp_path / "one/scores.jsonl").read_text()
    start = [f"start={path}", "epochs=1", "lr=1e-30", *quick[1:3]]
    assert train("segmenter", data, tmp_path / "two", *kind, *start) == 0
    assert changed(path, tmp_path / "two/last.safetensors") == set()

    capsys.readouterr()
    other = ["segmenter=stripes", "segmenter_settings={stripes: 3}", "image_size=72", *start]
    assert train("segmenter", data, tmp_path / "three", *other) == 1
    assert "it is 'stripes' of 72 pixels with {'stripes': 5}; set" in capsys.readouterr().err
    renamed = tmp_path / "renamed.safetensors"
    model, header = load_checkpoint(path)
    other_names = replace(VOCABULARY, things=VOCABULARY.things[::-1])
    save_checkpoint(renamed, model, replace(header, vocabulary=other_names))
    assert train("segmenter", data, tmp_path / "three", *kind, *start, f"start={renamed}") == 1
    assert "cannot be the start: they were trained for other classes" in capsys.readouterr().err
    assert train("segmenter", data, tmp_path / "three", "image_size=96", *start) == 1
    assert "its segmenter is 'stripes', not 'eomt'" in capsys.readouterr().err
    assert train("segmenter", data, tmp_path / "three", *kind, "start=timm") == 1
    assert "the segmenter 'stripes' has no backbone" in capsys.readouterr().err


def test_a_training_step_is_that_of_the_loss_by_hand(data):
    """The relation stage's gradients, through `prepare` and `relate`, against plain autograd."""
    from dsflash_ros.training.relations.pairs import pair_targets
    from dsflash_ros.training.relations.relation_data import RelationSamples, collate_relations
    from dsflash_ros.training.relations.relation_loss import batch_losses, pair_losses

    torch.manual_seed(0)
    model = DSFlash(TOY)
    stage = model.relations
    samples = RelationSamples(list(PsgDataset.open(data, "train")), TOY, stage.cell, stage.grid)
    batch = collate_relations([samples[0], samples[1]])
    targets = pair_targets(batch.relations, batch.pairs, TOY.num_predicates)
    features = model.segmenter.features(batch.images / 255).detach()
    gradients = []
    for by_hand in (False, True):
        stage.zero_grad()
        inputs = batch.pair_inputs(stage.prepare(features))
        if by_hand:
            parts = pair_losses(stage, inputs, targets)
            (parts.cross_entropy + 0.5 * parts.consistency).backward()
        else:
            batch_losses(stage, inputs, targets, 0.5, pairs_at_once=3)[0].backward()
        gradients.append([p.grad.clone() for p in stage.parameters()])
    for found, expected in zip(*gradients, strict=True):
        assert expected.abs().max() > 0
        torch.testing.assert_close(found, expected)
