"""Sizes of the diffusion models that are known, in the words of diffusers and transformers.

Imports no torch.
"""

from dataclasses import dataclass
from typing import Any

_AUTOENCODER = {
    "block_out_channels": [128, 256, 512, 512],
    "down_block_types": ["DownEncoderBlock2D"] * 4,
    "up_block_types": ["UpDecoderBlock2D"] * 4,
    "layers_per_block": 2,
    "latent_channels": 4,
    "scaling_factor": 0.18215,
}
_CLIP_LARGE = {
    "hidden_size": 1024,
    "intermediate_size": 4096,
    "num_hidden_layers": 24,
    "num_attention_heads": 16,
    "image_size": 224,
    "patch_size": 14,
    "projection_dim": 768,
}
_STABLE = {
    "in_channels": 4,
    "out_channels": 4,
    "block_out_channels": [320, 640, 1280, 1280],
    "layers_per_block": 2,
    "down_block_types": ["CrossAttnDownBlock2D"] * 3 + ["DownBlock2D"],
    "up_block_types": ["UpBlock2D"] + ["CrossAttnUpBlock2D"] * 3,
}


@dataclass(frozen=True)
class DiffusionArchitecture:
    """What fixes the shapes of a diffusion model.

    Attributes:
        unet: of diffusers' `UNet2DConditionModel`.
        autoencoder: of diffusers' `AutoencoderKL`; None: pixels are the latents.
        image_encoder: of transformers' `CLIPVisionConfig`.
        tokens: of every text.
    """

    unet: dict[str, Any]
    autoencoder: dict[str, Any] | None
    image_encoder: dict[str, Any]
    tokens: int


DIFFUSION_ARCHITECTURES = {
    "toy": DiffusionArchitecture(
        {
            "in_channels": 12,
            "out_channels": 12,
            "block_out_channels": [32, 64, 128],
            "layers_per_block": 1,
            "down_block_types": ["DownBlock2D"] + ["CrossAttnDownBlock2D"] * 2,
            "up_block_types": ["CrossAttnUpBlock2D"] * 2 + ["UpBlock2D"],
            "cross_attention_dim": 384,
            "attention_head_dim": 4,
            "norm_num_groups": 16,
        },
        None,
        {
            "hidden_size": 160,
            "intermediate_size": 640,
            "num_hidden_layers": 4,
            "num_attention_heads": 4,
            "image_size": 64,
            "patch_size": 8,
            "projection_dim": 384,
        },
        24,
    ),
    "sd15": DiffusionArchitecture(
        {**_STABLE, "cross_attention_dim": 768, "attention_head_dim": 8},
        _AUTOENCODER,
        _CLIP_LARGE,
        77,
    ),
    "sd21": DiffusionArchitecture(
        {
            **_STABLE,
            "cross_attention_dim": 1024,
            "attention_head_dim": [5, 10, 20, 20],
            "use_linear_projection": True,
        },
        _AUTOENCODER,
        _CLIP_LARGE,
        77,
    ),
}
"""By the names that `ModelConfig.backbone` of the segmenter "diffusion" can have.

`toy` learns simulated rooms on a CPU; `sd15` and `sd21` are Stable Diffusion's, with the image
encoder of CLIP ViT-L/14.
"""
