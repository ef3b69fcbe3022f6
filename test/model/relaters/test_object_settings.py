"""What the settings of both relation stages do, and which cannot be."""

import pytest
import torch
import torch.nn.functional as F
import toy_registration  # noqa: F401

from dsflash_ros.errors import WeightsError
from dsflash_ros.model.assembly import DSFlash
from dsflash_ros.model.config import ModelConfig
from dsflash_ros.model.relaters.dsflash import make_dsflash
from dsflash_ros.model.relaters.objects import SETTINGS, ObjectRelations, make_objects

CHANNELS, CLASSES, CELL, GRID, PREDICATES = 20, 4, 16, 6, 5
SIDE = CELL * GRID
OTHER = {"segmenter": "stripes", "relater": "objects"}
PARTS = tuple(SETTINGS["parts"])
NECK = (32, 2, 4)


@pytest.mark.parametrize(
    ("side", "stride", "cell", "grid"), [(64, 4, 16, 4), (60, 12, 24, 2), (40, 20, 20, 2)]
)
def test_features_of_other_strides(side, stride, cell, grid):
    """Cells are as many features as it takes to have 16 pixels; what is beyond is left out."""
    stage = make_objects(ModelConfig("", image_size=side, **OTHER), channels=8, stride=stride)
    assert (stage.cell, stage.grid) == (cell, grid)
    features = torch.randn(2, 8, side // stride, side // stride)
    expected = F.avg_pool2d(features, cell // stride).flatten(2).transpose(1, 2)
    assert torch.equal(stage.prepare(features), expected)


def test_a_single_cell_of_several_features():
    stage = make_objects(ModelConfig("", image_size=36, **OTHER), channels=8, stride=12)
    features = torch.randn(1, 8, 3, 3)
    expected = features[:, :, :2, :2].mean((2, 3)).unsqueeze(1)
    torch.testing.assert_close(stage.prepare(features), expected)


def test_the_config_chooses_it():
    settings = {"parts": ["class", "graph"], "dim": 32, "depth": 1, "heads": 2, "pair_dim": 16}
    config = ModelConfig("tiny", image_size=96, relater="objects", relater_settings=settings)
    stage = DSFlash(config).relations
    assert isinstance(stage, ObjectRelations) and stage.parts == {"class", "graph"}
    assert (stage.cell, stage.grid, len(stage.blocks)) == (16, 6, 1)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"width": 3}, "have no width; there are parts, dim"),
        ({"parts": "class"}, "parts must be a list of some of class, pooled, contact, graph"),
        ({"parts": ["necks"]}, "parts must be a list"),
        ({"dropout": 1}, "dropout must be from 0 to below 1, got 1"),
        ({"dim": 0}, "dim must be a whole number, 1 or more, got 0"),
        ({"depth": 1.5}, "depth must be a whole number"),
        ({"dim": 30, "heads": 4}, "dim 30 must be a multiple of heads 4"),
    ],
)
def test_settings_that_cannot_be(settings, message):
    config = ModelConfig("tiny", image_size=96, relater="objects", relater_settings=settings)
    with pytest.raises(WeightsError, match=message):
        DSFlash(config)


@pytest.mark.parametrize("relater", ["objects", "dsflash"])
def test_images_that_no_patch_fits_into(relater):
    settings = {"parts": ["neck"]} if relater == "objects" else {"patch": 3}
    config = ModelConfig("", image_size=40, relater_settings=settings, segmenter="stripes")
    make = {"objects": make_objects, "dsflash": make_dsflash}[relater]
    with pytest.raises(WeightsError, match="have 60 pixels, more than image_size=40"):
        make(config, channels=8, stride=20)


def test_patches_of_the_paper_s_stage():
    config = ModelConfig("tiny", image_size=96, relater_settings={"patch": 2}, neck_dim=16)
    stage = DSFlash(config).relations
    assert (stage.cell, stage.grid) == (32, 3)
    with pytest.raises(WeightsError, match="'dsflash' have no parts; there are patch"):
        DSFlash(ModelConfig("tiny", image_size=96, relater_settings={"parts": []}))
