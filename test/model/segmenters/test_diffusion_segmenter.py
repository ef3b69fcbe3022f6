import sys

import pytest
import torch
from torch import nn

from dsflash_ros.errors import MissingExtraError, WeightsError
from dsflash_ros.model.config import ModelConfig
from dsflash_ros.model.diffusion.diffusion_encoder import DiffusionEncoder, side_by_side
from dsflash_ros.model.segmenters import make_segmenter
from dsflash_ros.model.segmenters.diffusion.feature_pyramid import FeaturePyramid

SMALL = {"dim": 32, "decoder_ffn": 32, "decoder_layers": 4}


def config(**changes):
    settings = {"segmenter": "diffusion", "image_size": 128, "num_queries": 7}
    return ModelConfig(**{**settings, "segmenter_settings": SMALL, **changes})


@pytest.fixture
def segmenter():
    pytest.importorskip("diffusers", reason="the extra `diffusion` is not installed")
    return make_segmenter(config()).eval()


@torch.no_grad()
def test_shapes_and_features(segmenter):
    images = torch.rand(2, 3, 128, 128)
    found = segmenter(images)
    assert found.mask_logits.shape == (2, 7, 32, 32)
    assert found.class_logits.shape == (2, 7, 134)
    assert found.features.shape == (2, segmenter.feature_channels, 8, 8)
    assert segmenter.feature_channels == 224 and segmenter.feature_stride == 16
    torch.testing.assert_close(segmenter.features(images), found.features)
    torch.testing.assert_close(found.features, side_by_side(segmenter.backbone(images), 8))
    one = segmenter(images[1:])
    torch.testing.assert_close(one.mask_logits, found.mask_logits[1:], atol=1e-4, rtol=1e-3)


@torch.no_grad()
def test_it_computes_in_bfloat16_too(segmenter):
    images = torch.rand(1, 3, 128, 128)
    expected = segmenter.features(images)
    found = segmenter.bfloat16()(images)
    assert found.class_logits.dtype == torch.bfloat16 and found.class_logits.isfinite().all()
    error = (found.features.float() - expected).square().mean().sqrt()
    assert error < 0.1 * expected.std()


def test_the_unet_never_learns(segmenter):
    predictions = segmenter.training_predictions(torch.rand(2, 3, 128, 128), 0.0)
    assert len(predictions) == SMALL["decoder_layers"] + 1
    sum(masks.square().mean() + classes.mean() for masks, classes in predictions).backward()
    groups = [part for group in segmenter.parameter_groups(1e-3) for part in group["params"]]
    learned = {*segmenter.pyramid.parameters(), *segmenter.decoder.parameters()}
    assert set(groups) == learned and len(groups) == len(learned)
    assert all(part.grad is None for part in segmenter.backbone.parameters())
    assert all(part.grad is not None for part in segmenter.pyramid.parameters())
    assert not segmenter.train().backbone.training and segmenter.decoder.training


@torch.no_grad()
@pytest.mark.parametrize("strides", [(16, 8, 8), (32, 16, 8, 8), (8,)])
def test_the_pyramid_by_hand(strides):
    """Three levels, whether or not the UNet has a map of each stride."""
    channels = [5 + index for index in range(len(strides))]
    pyramid = FeaturePyramid(channels, strides, 32)
    maps = [
        torch.randn(2, width, 64 // stride, 64 // stride)
        for width, stride in zip(channels, strides, strict=True)
    ]
    mask_features, levels = pyramid(maps)
    assert mask_features.shape == (2, 32, 16, 16)
    assert [level.shape[2] for level in levels] == [2, 4, 8]
    above = None
    for number, stride in enumerate((32, 16, 8)):
        wanted = stride if stride in strides else max(one for one in strides if one < stride)
        same = [image for image, own in zip(maps, strides, strict=True) if own == wanted]
        own = nn.functional.avg_pool2d(torch.cat(same, 1), stride // wanted)
        own = pyramid.lateral[number](own)
        if above is not None:
            own = own + nn.functional.interpolate(above, scale_factor=2, mode="bilinear")
        above = own
        torch.testing.assert_close(levels[number], pyramid.smooth[number](own).relu())


def test_stable_diffusion_fits():
    """Shapes alone: the tensors would fill a robot's memory."""
    pytest.importorskip("diffusers", reason="the extra `diffusion` is not installed")
    settings = config(backbone="sd15", image_size=512, segmenter_settings={})
    with torch.device("meta"):
        segmenter = make_segmenter(settings)
    assert segmenter.feature_channels == 1280 + 1280 + 640 + 320
    encoder = segmenter.encoder
    assert isinstance(encoder, DiffusionEncoder)
    maps = [
        torch.randn(1, width, 512 // stride, 512 // stride)
        for width, stride in zip(encoder.channels, encoder.strides, strict=True)
    ]
    pyramid = FeaturePyramid(encoder.channels, encoder.strides, 64)
    assert pyramid(maps)[0].shape == (1, 64, 128, 128)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"backbone": "sd9"}, "no backbone 'sd9', but toy or sd15 or sd21"),
        ({"image_size": 160}, "image_size must be a multiple of 64, 128 or more, got 160"),
        ({"segmenter_settings": {"width": 3}}, "have no width; there are dim, decoder_ffn"),
        ({"segmenter_settings": {"dim": 40}}, "dim must be a multiple of 32, got 40"),
        ({"segmenter_settings": {"decoder_layers": 0}}, "decoder_layers must be a whole number"),
    ],
)
def test_settings_that_cannot_be(changes, told):
    with pytest.raises(WeightsError, match=told):
        config(**changes)


def test_without_diffusers_one_sentence(monkeypatch):
    monkeypatch.setitem(sys.modules, "diffusers", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'dsflash_ros\[diffusion\]'"):
        make_segmenter(config())
    assert config().kind == "diffusion segmenter with backbone toy"
