"""A segmenter and a relation stage from outside run wherever the built-in ones do.

The ROS node with them: test/ros/test_plugged_node.py.
"""

import json
import logging
from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("lightning")

import torch
import toy_registration  # noqa: F401
from media_files import picture, write_image
from toy_plugs import Boxes, Stripes

from dsflash_ros import cli
from dsflash_ros.data.psg import PsgDataset, PsgWriter
from dsflash_ros.data.shapes import VOCABULARY
from dsflash_ros.errors import DSFlashError, OptionError, WeightsError
from dsflash_ros.evaluation.runner import evaluate
from dsflash_ros.model.assembly import DSFlash
from dsflash_ros.model.checkpoints import Header, load_checkpoint, read_header, save_checkpoint
from dsflash_ros.model.config import ModelConfig
from dsflash_ros.model.random_weights import random_model
from dsflash_ros.model.relaters import register_relater
from dsflash_ros.model.segmenters import register_segmenter
from dsflash_ros.pipeline.options import Options
from dsflash_ros.pipeline.pipeline import SceneGraphPipeline

STRIPES = {"segmenter": "stripes", "segmenter_settings": {"stripes": 5}}
TOY = ModelConfig.for_vocabulary(VOCABULARY, image_size=72, relater="boxes", **STRIPES)
"""72 pixels: EoMT could not take it."""

NECK = {"neck_dim": 16, "neck_depth": 1, "neck_heads": 2}
MIXED = {
    "both": TOY,
    "segmenter alone": replace(TOY, relater="dsflash", **NECK),
    "relation stage alone": ModelConfig.for_vocabulary(
        VOCABULARY, size="tiny", image_size=96, relater="boxes"
    ),
}


def saved(path, config=TOY, **fields):
    header = Header(config, VOCABULARY, **fields)
    save_checkpoint(path, random_model(header), header)
    return path


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Images of the very stripes that the segmenter sees; each relates to its right neighbour."""
    folder = tmp_path_factory.mktemp("data")
    labels = np.tile(np.repeat(np.arange(18) * 5 // 18, 4), (72, 1))
    with PsgWriter(folder, VOCABULARY) as writer:
        for number in range(8):
            relations = [(stripe, stripe + 1, stripe % 3) for stripe in range(4)]
            split = "train" if number < 4 else "test"
            writer.add(f"{number}", picture(72, 72, number), labels, range(5), relations, split)
    return folder


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    return saved(tmp_path_factory.mktemp("weights") / "toy.safetensors")


@pytest.mark.parametrize("config", MIXED.values(), ids=MIXED)
def test_checkpoints_come_back_as_they_were(config, tmp_path):
    path = saved(tmp_path / "w.safetensors", config)
    model, header = load_checkpoint(path)
    assert header.config == model.config == config
    assert isinstance(model.segmenter, Stripes) == (config.segmenter == "stripes")
    assert isinstance(model.relations, Boxes) == (config.relater == "boxes")
    expected = random_model(header).state_dict()
    assert model.state_dict().keys() == expected.keys()
    assert all(torch.equal(expected[name], t) for name, t in model.state_dict().items())


@pytest.mark.parametrize("config", MIXED.values(), ids=MIXED)
@pytest.mark.parametrize("low", [False, True])
def test_the_pipeline_makes_graphs_with_them(config, low, tmp_path):
    path = saved(tmp_path / "w.safetensors", config)
    options = Options(relation_threshold=0, low_resolution_masks=low)
    pipeline = SceneGraphPipeline.from_weights(path, device="cpu", options=options)
    one, other = pipeline.batch([picture(96, 96), picture(40, 120)])
    for graph in (one, other):
        assert len(graph.relations) == len(graph.nodes) * (len(graph.nodes) - 1) > 0
    if config.segmenter == "stripes":
        assert [node.class_id for node in one.nodes] == [0, 1, 2, 3, 4]
        assert [node.box[1::2] for node in one.nodes] == [(0, 96)] * 5
    assert pipeline(picture(96, 96)).nodes == one.nodes


def test_relations_are_those_of_the_stage(weights):
    """By hand: boxes over the network input, the segmenter's probabilities, the mean colour."""
    options = Options(relation_threshold=0)
    pipeline = SceneGraphPipeline.from_weights(weights, device="cpu", options=options)
    rgb = np.full((72, 72, 3), (255, 0, 51), np.uint8)
    graph, stage = pipeline(rgb), pipeline.model.relations
    known = pipeline.model.segmenter.class_logits.softmax(1)[:, :-1]
    colour = stage.colour(torch.tensor([1.0, 0.0, 0.2]))
    boxes = torch.tensor([node.box for node in graph.nodes]) / 36 - 1
    assert len(graph.relations) == 20
    for relation in graph.relations:
        s, o = relation.subject, relation.object
        logits = stage.head(torch.cat((boxes[s], known[s], boxes[o], known[o], colour)))
        assert relation.score == pytest.approx(torch.sigmoid(-logits[0]).item(), abs=1e-5)
        assert relation.predicate_id == logits[1:].argmax()


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_other_precisions(weights, precision):
    pipeline = SceneGraphPipeline.from_weights(weights, device="cpu", precision=precision)
    assert len(pipeline(picture(72, 72)).nodes) == 5


def test_an_option_that_the_segmenter_does_not_have_is_refused(weights, tmp_path, capsys):
    pipeline = SceneGraphPipeline.from_weights(weights, device="cpu")
    before = pipeline.options
    says = "tome_ratio cannot be 0.3: the segmenter of the weights .* is 'stripes'"
    with pytest.raises(OptionError, match=says) as error:
        pipeline.options = Options(tome_ratio=0.3)
    assert isinstance(error.value, ValueError) and isinstance(error.value, DSFlashError)
    assert pipeline.options == before
    with pytest.raises(ValueError, match=says):
        SceneGraphPipeline.from_weights(weights, device="cpu", options=Options(tome_ratio=0.3))
    image = str(write_image(tmp_path / "image.png", picture(72, 72)))
    arguments = ["--weights", str(weights), "--tome-ratio", "0.3", "--out", str(tmp_path / "out")]
    assert cli.main(["run", image, *arguments]) == 1
    error = capsys.readouterr().err
    assert "tome_ratio cannot be 0.3" in error and "Traceback" not in error


def test_an_option_that_would_only_save_time_is_said_once_to_have_no_effect(weights, caplog):
    pipeline = SceneGraphPipeline.from_weights(weights, device="cpu")
    assert "no effect" not in caplog.text
    expected = pipeline(picture(72, 72)).relations
    for _ in range(3):
        pipeline.options = Options(pruning=True)
        assert pipeline(picture(72, 72)).relations == expected
    warnings = [r for r in caplog.records if r.levelno == logging.WARNING]
    (warning,) = [r.getMessage() for r in warnings if "pruning" in r.getMessage()]
    assert "pruning has no effect: the relation stage of the weights" in warning


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


def test_kinds_that_are_not_known(tmp_path, weights):
    told = "there is no segmenter 'proscale', only eomt, mask2former, diffusion, stripes"
    with pytest.raises(WeightsError, match=told):
        ModelConfig(segmenter="proscale")
    with pytest.raises(WeightsError, match="there is no relation stage 'spade', only dsflash"):
        ModelConfig(relater="spade")
    with pytest.raises(ValueError, match="there is a segmenter 'eomt' already"):
        register_segmenter("eomt", lambda config: None)
    with pytest.raises(ValueError, match="there is a relation stage 'boxes' already"):
        register_relater("boxes", lambda *_: None)
