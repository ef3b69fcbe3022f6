"""EoMT with DINOv3 is published as differences to DINOv3's weights: this puts the two together."""

from collections.abc import Mapping
from pathlib import Path

import torch

from dsflash_ros.conversion.foreign import ForeignCheckpoint, read_foreign
from dsflash_ros.conversion.layouts import DINOV3, Layout, expected_tensors, rename
from dsflash_ros.errors import WeightsError
from dsflash_ros.model.config import ModelConfig
from dsflash_ros.model.layers.pixels import IMAGENET_MEAN, IMAGENET_STD

META = Layout(
    "Meta's DINOv3",
    "dinov3",
    "storage_tokens",
    {r"^backbone\.vit\.": "", r"reg_token": "storage_tokens", r"\.gamma_([12])": r".ls\1.gamma"},
    others=r"mask_token|rope_embed\.periods|blocks\.\d+\.attn\.qkv\.bias(_mask)?",
)
TIMM = Layout(
    "timm's DINOv3", "dinov3", "reg_token", {r"^backbone\.vit\.": ""}, others=r"rope\.periods"
)
_PIXELS = ("network.encoder.pixel_mean", "network.encoder.pixel_std")


def published_name(config: ModelConfig) -> str:
    """The hub id of Meta's DINOv3 of that size."""
    word = {"small": "vits16", "base": "vitb16", "large": "vitl16"}[config.size]
    return f"facebook/dinov3-{word}-pretrain-lvd1689m"


def is_delta(tensors: Mapping[str, torch.Tensor]) -> bool:
    """Whether tensors in EoMT's original layout are differences to DINOv3's weights.

    The encoder's buffers tell: whole checkpoints hold ImageNet's mean and deviation of pixels,
    differences hold zeros. Raises `WeightsError` when they are missing or neither.
    """
    missing = [name for name in _PIXELS if name not in tensors]
    if missing:
        raise WeightsError(
            f"missing: {', '.join(missing)}, which tells whole weights from differences to DINOv3"
        )
    found = torch.cat([tensors[name].float().flatten() for name in _PIXELS])
    expected = torch.tensor(IMAGENET_MEAN + IMAGENET_STD)
    for candidate, answer in ((expected, False), (torch.zeros(6), True)):
        if found.shape == candidate.shape and torch.allclose(found, candidate, atol=1e-3):
            return answer
    raise WeightsError(
        "pixels of this checkpoint have mean and deviation "
        f"{[round(value, 3) for value in found.tolist()]}, neither ImageNet's (whole weights) "
        "nor zero (differences to DINOv3); such a model cannot be converted"
    )


def read_base(path: str | Path, config: ModelConfig) -> tuple[dict[str, torch.Tensor], dict]:
    """A DINOv3 backbone in the layout of transformers, Meta or timm.

    Returns its tensors under the names of `EoMT`, in float32, and where they are from, for the
    recipe. Raises `WeightsError` when it is another model or of another size.
    """
    foreign = read_foreign(path)
    # transformers' module has a level more than the files that were published
    tensors = {name.removeprefix("model."): tensor for name, tensor in foreign.tensors.items()}
    layout = _layout_of_base(foreign, tensors, config)
    if layout is not DINOV3:
        tensors = _with_separate_biases(tensors, config.architecture.dim)
    expected = {
        name: like
        for name, like in expected_tensors(config).items()
        if name.startswith("backbone.vit.")
    }
    try:
        state = rename(layout, tensors, expected, f"a DINOv3 of size {config.size}")
    except WeightsError as error:
        raise WeightsError(f"the base {foreign.path}: {error}") from error
    return state, {"layout": layout.name, "sha256": foreign.sha256}


def _layout_of_base(
    foreign: ForeignCheckpoint, tensors: Mapping[str, torch.Tensor], config: ModelConfig
) -> Layout:
    layout = next(
        (x for x in (DINOV3, META, TIMM) if any(name.startswith(x.marker) for name in tensors)),
        None,
    )
    token = tensors.get("embeddings.cls_token", tensors.get("cls_token"))
    if layout is None or token is None:
        raise WeightsError(
            f"the base {foreign.path} is no DINOv3 backbone in the layout of transformers, Meta "
            "or timm"
        )
    width = config.architecture.dim
    if token.shape[-1] != width:
        raise WeightsError(
            f"the base {foreign.path} has width {token.shape[-1]}, but the differences are to a "
            f"DINOv3 of size {config.size} (width {width}); give that one as base"
        )
    return layout


def _with_separate_biases(
    tensors: Mapping[str, torch.Tensor], width: int
) -> dict[str, torch.Tensor]:
    """The tensors with `q_bias` and `v_bias` of each attention.

    Meta keeps the biases of q, k and v in one tensor, that of k masked away; timm leaves them out
    where they are zero.
    """
    separate = dict(tensors)
    for name in tensors:
        if name.endswith("attn.qkv.weight"):
            attn = name.removesuffix("qkv.weight")
            together = tensors.get(f"{attn}qkv.bias", torch.zeros(3 * width))
            separate.setdefault(f"{attn}q_bias", together[:width])
            separate.setdefault(f"{attn}v_bias", together[-width:])
    return separate
