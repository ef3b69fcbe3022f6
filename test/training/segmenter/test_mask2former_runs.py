"""`dsflash train` with PRO-SCALE on a handful of images: segmenter, relations, cache."""

import json
from pathlib import Path

import pytest

pytest.importorskip("lightning")

import torch
from runs import NECK

from dsflash_ros import cli
from dsflash_ros.data.shapes import VOCABULARY, write_shapes
from dsflash_ros.errors import ConfigError
from dsflash_ros.model.checkpoints import load_checkpoint, read_header
from dsflash_ros.model.segmenters.mask2former.mask2former_settings import Mask2FormerSettings
from dsflash_ros.training.configuration import SegmenterConfig
from dsflash_ros.training.configuration_files import load_config
from dsflash_ros.training.segmenter.train_segmenter import prepare_model

SETTINGS = "{p1: 1, p2: 1, p3: 1, dim: 32, encoder_ffn: 32, decoder_ffn: 32, decoder_layers: 2}"
ORIGINAL = SETTINGS.replace("p1: 1, p2: 1, p3: 1", "p1: 0, p2: 0, p3: 2").replace(
    "}", ", pixel_embedding: conv, recalibration: none}"
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("proscale")
    write_shapes(folder / "data", 6, seed=3, height=64, width=96)
    return folder


def arguments(folder, out, *more, settings=SETTINGS):
    return [
        "train", "segmenter", "proscale_lite0", f"dataset={folder / 'data'}",
        f"out={folder / out}", "start=null", "image_size=64", "num_queries=10", "epochs=2",
        "batch_size=2", "workers=0", "num_points=64", "warmup_steps=[1, 1]", "device=cpu",
        "val_split=train", "precision=float32", f"segmenter_settings={settings}", *more,
    ]  # fmt: skip


@pytest.fixture(scope="module")
def trained(folder):
    assert cli.main(arguments(folder, "whole")) == 0
    return folder / "whole"


def test_a_run_writes_weights_that_say_what_they_are(trained):
    header = read_header(trained / "best.safetensors")
    settings = Mask2FormerSettings.from_dict(header.config.segmenter_settings)
    assert (header.config.segmenter, header.config.backbone) == ("mask2former", "lite0")
    assert settings.layers == (1, 1, 1) and header.trained == ("segmenter",)
    lines = [json.loads(line) for line in (trained / "scores.jsonl").read_text().splitlines()]
    assert len(lines) == 2 and all("PQ" in json.dumps(line) for line in lines)
    before = prepare_model(_config(), VOCABULARY)[0].state_dict()
    after = load_checkpoint(trained / "last.safetensors")[0].state_dict()
    moved = {n.split(".")[1] for n in after if not torch.equal(before[n], after[n])}
    assert {"backbone", "pixel_decoder", "decoder"} <= moved


def _config(*more):
    given = arguments(Path("/nowhere"), "x", *more)[3:]
    return load_config(SegmenterConfig, "proscale_lite0", given, "segmenter")


@pytest.mark.slow
def test_a_progressive_run_starts_from_an_original(trained, folder):
    assert cli.main(arguments(folder, "original", "epochs=1", settings=ORIGINAL)) == 0
    start = folder / "original/best.safetensors"
    config = _config(f"start={start}")
    model, _ = prepare_model(config, VOCABULARY)
    theirs = load_checkpoint(start)[0].segmenter.state_dict()
    ours = model.segmenter.state_dict()
    name = "pixel_decoder.stages.2.{}.linear1.weight"
    assert torch.equal(ours[name.format(0)], theirs[name.format(1)])
    assert torch.equal(ours["backbone.timm_model.conv_stem.weight"],
                       theirs["backbone.timm_model.conv_stem.weight"])  # fmt: skip
    assert cli.main(arguments(folder, "warm", "epochs=1", f"start={start}")) == 0
    assert cli.main(arguments(folder, "other", f"start={start}", "num_queries=11")) == 1


def test_what_is_eomts_is_refused(folder):
    assert cli.main(arguments(folder, "annealed", "annealing=[[0.0, 0.5]]")) == 1
    assert not (folder / "annealed").exists()
    assert cli.main(arguments(folder, "odd", "image_size=72")) == 1
    with pytest.raises(ConfigError, match=r"has no backbone 'dinov2'"):
        prepare_model(_config("backbone=dinov2"), VOCABULARY)


@pytest.mark.parametrize("stride", [16, 8])
def test_a_relation_stage_learns_on_its_features(trained, folder, stride):
    """Through the cache, whose digest is the segmenter's."""
    segmenter = trained / "best.safetensors"
    if stride == 8:
        fine = SETTINGS.replace("}", ", feature_stride: 8}")
        assert cli.main(arguments(folder, "fine", "epochs=1", settings=fine)) == 0
        segmenter = folder / "fine/best.safetensors"
    out = folder / f"relations{stride}"
    command = [
        "train", "relations", "tiny", f"dataset={folder / 'data'}", f"segmenter={segmenter}",
        f"out={out}", "epochs=1", "batch_size=2", "workers=0", "device=cpu", "val_split=train",
        "augmentation=none", f"feature_cache={folder / 'cache'}", *NECK,
    ]  # fmt: skip
    assert cli.main(command) == 0
    model, header = load_checkpoint(out / "best.safetensors")
    assert header.trained == ("segmenter", "relations")
    assert (model.relations.cell, model.relations.grid) == (3 * stride, 64 // (3 * stride))
    theirs = load_checkpoint(segmenter)[0].segmenter.state_dict()
    ours = model.segmenter.state_dict()
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs), "it is frozen"
