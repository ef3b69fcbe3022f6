"""Mask2Former as transformers has it, with random weights, as what ours is compared with."""

import pytest
import torch

transformers = pytest.importorskip("transformers")

SMALL = {
    "feature_size": 64,
    "mask_feature_size": 64,
    "hidden_dim": 64,
    "encoder_feedforward_dim": 96,
    "dim_feedforward": 128,
    "decoder_layers": 5,  # it counts the prediction before the first
    "num_queries": 12,
}
"""Sizes that differ from one another where they may."""


def reference_mask2former(classes=133, seed=0, **sizes):
    """Their model around a Swin-T, with weights that say something."""
    backbone = transformers.SwinConfig(
        embed_dim=96,
        depths=[2, 2, 6, 2],
        num_heads=[3, 6, 12, 24],
        window_size=7,
        out_features=["stage1", "stage2", "stage3", "stage4"],
    )
    config = transformers.Mask2FormerConfig(backbone_config=backbone, num_labels=classes, **sizes)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = transformers.Mask2FormerForUniversalSegmentation(config).eval()
        randomise(model)
    return model


@torch.no_grad()
def randomise(model):
    """Move all that starts at zero or one, and let offsets and weights depend on queries."""
    for name, parameter in model.named_parameters():
        if parameter.ndim == 1 or "sampling_offsets" in name or "attention_weights" in name:
            parameter.add_(torch.randn_like(parameter) * 0.05)
        if "relative_position_bias_table" in name:
            parameter.add_(torch.randn_like(parameter) * 0.5)
