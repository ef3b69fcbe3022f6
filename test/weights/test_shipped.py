"""Weights that come with the package, and the default, which stands in several places."""

import argparse
import inspect
from pathlib import Path

import pytest
import torch
import yaml
from places import ROOT
from safetensors import safe_open

from dsflash_ros import cli
from dsflash_ros.cli.arguments import add_model_arguments
from dsflash_ros.errors import WeightsError
from dsflash_ros.graph.vocabulary import Vocabulary
from dsflash_ros.model.assembly import DSFlash
from dsflash_ros.model.checkpoints import read_header, save_checkpoint
from dsflash_ros.model.config import ModelConfig
from dsflash_ros.model.header import STAGES, Header
from dsflash_ros.pipeline.pipeline import SceneGraphPipeline
from dsflash_ros.weights.loading import check_weights, open_weights
from dsflash_ros.weights.names import locate
from dsflash_ros.weights.shipped import DEFAULT_WEIGHTS, SHIPPED

TOYROOM = Vocabulary.load(ROOT / "dsflash_ros/resources/toyroom.json")


@pytest.fixture
def stand_in(tmp_path, monkeypatch):
    """A small checkpoint in the place of the package's, in half precision as it is."""
    sizes = {"num_things": len(TOYROOM.things), "num_stuff": len(TOYROOM.stuff)}
    small = {"image_size": 64, "num_queries": 5, "neck_dim": 16, "neck_depth": 1, "neck_heads": 2}
    config = ModelConfig("tiny", num_predicates=len(TOYROOM.predicates), **sizes, **small)
    path = tmp_path / "elsewhere" / "toyroom.safetensors"
    path.parent.mkdir()
    save_checkpoint(path, DSFlash(config).half(), Header(config, TOYROOM))
    monkeypatch.setitem(SHIPPED, "toyroom", path)
    return path


def test_the_default_is_the_same_everywhere():
    parser = argparse.ArgumentParser()
    add_model_arguments(parser)
    assert parser.get_default("weights") == DEFAULT_WEIGHTS
    assert (
        inspect.signature(SceneGraphPipeline.from_weights).parameters["weights"].default
        == DEFAULT_WEIGHTS
    )
    config = yaml.safe_load((ROOT / "config/dsflash.yaml").read_text())
    assert config["/**"]["ros__parameters"]["weights"] == DEFAULT_WEIGHTS
    assert f"| `weights` | `{DEFAULT_WEIGHTS}` |" in (ROOT / "docs/node.md").read_text()


def test_the_node_has_that_default():
    parameters = pytest.importorskip("dsflash_ros.ros.parameters", reason="needs rclpy")
    assert parameters.BY_NAME["weights"].default == DEFAULT_WEIGHTS


def test_a_name_is_no_path(stand_in, tmp_path, monkeypatch):
    """A data set of that name in the working folder is not in its way."""
    (tmp_path / "toyroom").mkdir()
    monkeypatch.chdir(tmp_path)
    assert locate("toyroom") == open_weights("toyroom").path == stand_in
    assert locate("./toyroom") == Path("toyroom")


def test_the_pipeline_runs_it_by_its_name(stand_in):
    pipeline = SceneGraphPipeline.from_weights("toyroom", device="cpu")
    assert pipeline.weights == "toyroom" and pipeline.is_trained
    assert pipeline.vocabulary == TOYROOM
    assert next(pipeline.model.parameters()).dtype == torch.float32


def test_info(stand_in, capsys):
    assert cli.main(["weights", "info", "toyroom"]) == 0
    out = capsys.readouterr().out
    assert str(stand_in) in out and "numbers  float16\n" in out


def test_a_package_without_the_file(monkeypatch, tmp_path):
    monkeypatch.setitem(SHIPPED, "toyroom", tmp_path / "none.safetensors")
    with pytest.raises(WeightsError, match=r"no weights at '.*none\.safetensors'; give a"):
        check_weights("toyroom")


@pytest.mark.skipif(
    not SHIPPED["toyroom"].exists(), reason="the weights of the package are not trained yet"
)
def test_the_weights_of_the_package():
    path = SHIPPED["toyroom"]
    assert path.stat().st_size <= 20e6
    header = read_header(path)
    assert (header.vocabulary, header.trained) == (TOYROOM, STAGES)
    assert header.recipe.keys() >= {"segmenter", "relations"}
    assert check_weights("toyroom") == header
    assert set(header.scores) == {"predcls", "sgdet"}
    with safe_open(path, "pt") as stored:
        assert {stored.get_slice(name).get_dtype() for name in stored.keys()} == {"F16"}  # noqa: SIM118, no mapping
