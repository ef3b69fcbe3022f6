"""Our ViTs against timm's, which share nothing with them but the names of the tensors."""

import subprocess
import sys

import pytest
import timm
import torch
from timm.layers import resample_abs_pos_embed

from dsflash_ros.model.config import ModelConfig
from dsflash_ros.model.segmenters.backbone import Backbone
from dsflash_ros.model.segmenters.vit import resample_positions

CONFIGS = [
    ModelConfig("tiny", image_size=64),
    ModelConfig("small", "dinov2", 80),
    ModelConfig("small", "dinov3", 80),
    pytest.param(ModelConfig("large", "dinov3", 64), marks=pytest.mark.slow),
]


def timms(config):
    return timm.create_model(
        config.timm_name,
        img_size=config.image_size,
        patch_size=16,
        num_classes=0,
        global_pool="",
        **({} if config.backbone == "dinov3" else {"fc_norm": False}),  # normalise as EoMT does
    ).eval()


def shake(model, generator):
    """Let every tensor matter: fresh biases and scales are zero, or nearly."""
    with torch.no_grad():
        for parameter in model.parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            parameter.add_(noise * (0.05 if parameter.ndim > 1 else 0.3))


@pytest.mark.parametrize("config", CONFIGS, ids=lambda config: f"{config.size}-{config.backbone}")
def test_tokens_are_timms(config):
    generator = torch.Generator()
    generator.seed()
    reference, ours = timms(config), Backbone(config).eval()
    shake(reference, generator)
    ours.vit.load_state_dict(reference.state_dict(), strict=True)
    assert list(ours.vit.state_dict()) == list(reference.state_dict())
    images = torch.randn(2, 3, config.image_size, config.image_size, generator=generator)
    with torch.inference_mode():
        expected = reference.forward_features(images)
        tokens, rope = ours.embed(images)
        for index in range(ours.depth):
            tokens = ours.run_block(index, tokens, rope)
        found = ours.norm(tokens)
    assert (found - expected).abs().max() < 1e-4 * expected.std()


@pytest.mark.parametrize("config", CONFIGS[:3], ids=lambda config: config.backbone)
def test_fresh_numbers_are_spread_as_timms(config):
    reference, ours = timms(config).state_dict(), Backbone(config).vit.state_dict()
    for name, tensor in ours.items():
        mean, spread = float(reference[name].mean()), float(reference[name].std())
        assert float(tensor.mean()) == pytest.approx(mean, abs=0.01), name
        tolerance = 0.1 + 8 / tensor.numel() ** 0.5  # of chance alone: 1 / sqrt(n)
        assert float(tensor.std()) == pytest.approx(spread, rel=tolerance), name


@pytest.mark.parametrize(("old", "new", "prefix"), [(14, 24, 1), (24, 10, 0), (5, 5, 1)])
def test_positions_are_scaled_as_timm_scales_them(old, new, prefix):
    positions = torch.randn(1, prefix + old**2, 12)
    expected = resample_abs_pos_embed(positions, [new, new], [old, old], num_prefix_tokens=prefix)
    torch.testing.assert_close(resample_positions(positions, old, new, prefix), expected)


def test_running_eomt_imports_neither_timm_nor_torchvision():
    code = """if True:
        import sys
        import numpy as np
        from dsflash_ros import SceneGraphPipeline
        pipeline = SceneGraphPipeline.from_weights("toyroom", device="cpu")
        pipeline(np.zeros((48, 64, 3), np.uint8))
        print({"timm", "torchvision"} & sys.modules.keys())
    """
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout == "set()\n", done.stdout + done.stderr
