"""How often the header of weights is read on the way to a pipeline, and what opened weights are."""

import pytest
import torch
from opened_files import OpenedFiles

from dsflash_ros import cli
from dsflash_ros.data.shapes import VOCABULARY, write_shapes
from dsflash_ros.errors import WeightsError
from dsflash_ros.evaluation.pack import pack
from dsflash_ros.graph.vocabulary import Vocabulary
from dsflash_ros.model.checkpoints import Header, save_checkpoint
from dsflash_ros.model.config import ModelConfig
from dsflash_ros.model.random_weights import random_model
from dsflash_ros.pipeline.pipeline import SceneGraphPipeline
from dsflash_ros.weights.loading import check_weights, open_weights, require_file

ONCE = {"w.safetensors": 1}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A data set, and tiny weights for its vocabulary."""
    folder = tmp_path_factory.mktemp("shapes")
    write_shapes(folder, 4, test_share=0.5, height=64, width=80)
    config = ModelConfig.for_vocabulary(
        VOCABULARY,
        size="tiny",
        image_size=64,
        num_queries=20,
        neck_dim=32,
        neck_depth=1,
        neck_heads=2,
    )
    header = Header(config, VOCABULARY)
    save_checkpoint(folder / "w.safetensors", random_model(header), header)
    return folder


@pytest.fixture
def files(monkeypatch):
    files = OpenedFiles()
    monkeypatch.setattr("dsflash_ros.model.checkpoints.safe_open", files.safe_open)
    return files


def by_library(folder):
    SceneGraphPipeline.from_weights(folder / "w.safetensors", device="cpu", vocabulary=VOCABULARY)


def by_eval(folder):
    weights = str(folder / "w.safetensors")
    assert cli.main(["eval", str(folder), "--weights", weights, "--device", "cpu"]) == 0


def by_calibrate(folder):
    """Random weights tell nothing that could be calibrated; by then all has been loaded."""
    out = ["--out", str(folder / "calibrated.safetensors"), "--device", "cpu"]
    assert cli.main(["weights", "calibrate", f"{folder}/w.safetensors", str(folder), *out]) == 1


def by_pack(folder):
    pack(folder / "w.safetensors", folder / "packed.safetensors")


def by_info(folder):
    assert cli.main(["weights", "info", str(folder / "w.safetensors")]) == 0


@pytest.mark.parametrize("way", [by_library, by_eval, by_calibrate, by_pack, by_info])
def test_a_file_is_opened_once(folder, files, way):
    way(folder)
    assert files.opened == files.headers == ONCE


def test_the_node_opens_it_when_it_is_configured_and_when_it_is_activated(folder, files):
    chosen_model = pytest.importorskip("dsflash_ros.ros.chosen_model", reason="needs rclpy")
    from dsflash_ros.ros.parameters import BY_NAME

    choice = {name: parameter.default for name, parameter in BY_NAME.items()}
    choice |= {"weights": str(folder / "w.safetensors"), "device": "cpu"}
    chosen_model.check_choice(choice)
    assert files.opened == files.headers == ONCE
    chosen_model.load_pipeline(choice)
    assert files.opened == files.headers == {"w.safetensors": 2}


def test_names_set_before_the_weights_are_here_download_nothing(monkeypatch, tmp_path):
    chosen_model = pytest.importorskip("dsflash_ros.ros.chosen_model", reason="needs rclpy")
    from dsflash_ros.ros.parameters import BY_NAME

    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    asked = []
    monkeypatch.setattr("dsflash_ros.weights.names.fetch", lambda name, **_: asked.append(name))
    choice = {name: parameter.default for name, parameter in BY_NAME.items()}
    choice["weights"] = "someone/segmenter"
    assert chosen_model.refusal_of_model({"classes": ["cup", "dog"]}, choice, None) == ""
    told = chosen_model.refusal_of_model({"classes": ["cup", "cup"]}, choice, None)
    assert told == "classes: 'cup' is asked for more than once"
    choice["weights"] = "random"
    told = chosen_model.refusal_of_model({"classes": ["cup", "dragon"]}, choice, None)
    assert "'dragon'" in told and not asked


def test_training_opens_what_it_starts_from_once(folder, files):
    pytest.importorskip("pydantic")
    from dsflash_ros.training.configuration import RelationConfig, SegmenterConfig
    from dsflash_ros.training.relations.train_relations import prepare_model
    from dsflash_ros.training.segmenter import train_segmenter

    weights = str(folder / "w.safetensors")
    common = {"dataset": str(folder), "out": "runs", "seed": 1}
    prepare_model(RelationConfig(segmenter=weights, **common), VOCABULARY)
    assert files.opened == files.headers == ONCE
    sizes = {"size": "tiny", "backbone": "plain", "image_size": 64, "num_queries": 20}
    config = SegmenterConfig(start=weights, **sizes, **common)
    train_segmenter.prepare_model(config, VOCABULARY)
    assert files.opened == files.headers == {"w.safetensors": 2}


def test_opened_weights_are_handed_on(folder, files):
    opened = open_weights(folder / "w.safetensors")
    assert open_weights(opened) is opened
    assert opened.path == folder / "w.safetensors" and opened.title == "w.safetensors"
    assert check_weights(folder / "w.safetensors") == opened.header
    with pytest.raises(WeightsError, match=r"w.safetensors' were made for another vocabulary"):
        SceneGraphPipeline.from_weights(opened, vocabulary=Vocabulary.psg())
    first, second = opened.load(), opened.load()
    assert not first.training and {p.dtype for p in first.parameters()} == {torch.float32}
    first.segmenter.q.weight.data.zero_()
    assert second.segmenter.q.weight.any(), "each call gives a model of its own"


def test_random_weights_have_no_file():
    opened = open_weights("random")
    assert (opened.name, opened.title, opened.path) == ("random", "random", None)
    first, second = opened.load().state_dict(), opened.load().state_dict()
    assert all(torch.equal(first[name], second[name]) for name in first)
    with pytest.raises(WeightsError, match="random means untrained weights, which have no file"):
        require_file(opened)
