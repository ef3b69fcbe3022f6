"""A segmenter and a relation stage from outside run wherever the built-in ones do.

The ROS node with them: test/ros/test_plugged_node.py.
"""

import logging
from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("lightning")

import torch
from media_files import picture, write_image
from toy_models import NECK, TOY, saved
from toy_plugs import Boxes, Stripes

from dsflash_ros import cli
from dsflash_ros.data.shapes import VOCABULARY
from dsflash_ros.errors import DSFlashError, OptionError, WeightsError
from dsflash_ros.model.checkpoints import load_checkpoint, save_checkpoint
from dsflash_ros.model.config import ModelConfig
from dsflash_ros.model.random_weights import random_model
from dsflash_ros.model.relaters import register_relater
from dsflash_ros.model.segmenters import register_segmenter
from dsflash_ros.pipeline.options import Options
from dsflash_ros.pipeline.pipeline import SceneGraphPipeline

MIXED = {
    "both": TOY,
    "segmenter alone": replace(TOY, relater="dsflash", **NECK),
    "relation stage alone": ModelConfig.for_vocabulary(
        VOCABULARY, size="tiny", image_size=96, relater="boxes"
    ),
}


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


def test_a_plugged_part_may_keep_infinity_but_learn_none(tmp_path, monkeypatch):
    """A mask of -inf is no damage where a new model has it, too."""
    before = Boxes.__init__

    def with_mask(self, *sizes):
        before(self, *sizes)
        self.register_buffer("mask", torch.tensor([0.0, -torch.inf]))

    monkeypatch.setattr(Boxes, "__init__", with_mask)
    model, header = load_checkpoint(saved(tmp_path / "w.safetensors"))
    assert model.relations.mask.isinf().any()
    model.relations.head.bias.data[0] = torch.nan
    save_checkpoint(tmp_path / "w.safetensors", model, header)
    with pytest.raises(WeightsError, match=r"relations.head.bias has a value that is not a number"):
        load_checkpoint(tmp_path / "w.safetensors")


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
