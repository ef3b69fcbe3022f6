"""A Mask2Former where a user meets it: random weights in the pipeline, the command, checkpoints."""

import json

import cv2
import numpy as np
import pytest
import torch

from dsflash_ros import cli
from dsflash_ros.errors import OptionError
from dsflash_ros.graph.scene_graph import is_trained
from dsflash_ros.model.checkpoints import load_checkpoint, save_checkpoint
from dsflash_ros.model.random_header import RANDOM, random_header
from dsflash_ros.pipeline.options import Options
from dsflash_ros.pipeline.pipeline import SceneGraphPipeline

LITE = "random-proscale-lite0"


@pytest.fixture(scope="module")
def pipeline():
    return SceneGraphPipeline.from_weights(LITE, device="cpu", precision="float32", threads=1)


def test_untrained_weights_find_and_relate(pipeline):
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 256, (8, 8, 3), np.uint8)
    graph = pipeline(cv2.resize(coarse, (320, 240), interpolation=cv2.INTER_CUBIC))
    assert len(graph.nodes) >= 2 and graph.relations
    assert not graph.is_trained and graph.weights == LITE
    assert pipeline.config.segmenter == "mask2former"


def test_token_merging_is_refused_with_a_sentence(pipeline):
    with pytest.raises(OptionError, match=r"tome_ratio cannot be 0.5: .* is 'mask2former', which"):
        pipeline.options = Options(tome_ratio=0.5)


def test_a_checkpoint_says_what_it_is_and_comes_back(pipeline, tmp_path, capsys):
    header, path = random_header(LITE), tmp_path / "lite.safetensors"
    save_checkpoint(path, pipeline.model, header)
    model, again = load_checkpoint(path)
    assert again.config == header.config
    images = torch.rand(1, 3, 64, 64)
    with torch.inference_mode():
        a, b = pipeline.model.segmenter(images), model.segmenter(images)
    assert torch.equal(a.mask_logits, b.mask_logits)
    assert cli.main(["weights", "info", str(path), "--json"]) == 0
    about = json.loads(capsys.readouterr().out)
    assert (about["segmenter"], about["backbone"], about["queries"]) == ("mask2former", "lite0", 48)
    assert about["settings"]["p1"] == 3 and "size" not in about
    assert cli.main(["weights", "info", str(path)]) == 0
    assert "p3=3" in capsys.readouterr().out.replace("p3 3", "p3=3")


def test_the_command_runs_it(tmp_path):
    rng = np.random.default_rng(1)
    cv2.imwrite(str(tmp_path / "a.png"), rng.integers(0, 256, (64, 96, 3), np.uint8))
    arguments = ["run", str(tmp_path / "a.png"), "--weights", LITE, "--out", str(tmp_path / "out")]
    assert cli.main([*arguments, "--device", "cpu", "--precision", "bfloat16"]) == 0
    assert (tmp_path / "out/scene_graph.jsonl").read_text().count("\n") == 1
    assert cli.main([*arguments, "--tome-ratio", "0.3"]) == 1


def test_every_name_of_random_weights_is_untrained_and_makes_a_config():
    for name in RANDOM:
        assert not is_trained(name) and not random_header(name).trained
    swin = random_header("random-proscale-swin-t").config
    assert (swin.backbone, swin.num_queries, swin.segmenter_settings["dim"]) == (
        "swin_tiny", 100, 256,
    )  # fmt: skip
