"""Starting points: backbones that others pretrained, under timm's names."""

import logging
import math
from pathlib import Path

import timm
import torch
from safetensors.torch import load_file
from timm.layers import resample_abs_pos_embed, resample_patch_embed

from dsflash_ros.errors import WeightsError
from dsflash_ros.files import expand
from dsflash_ros.model.segmenters.eomt import EoMT

HEAD = ("head.", "fc_norm.")
"""What a classifier has and EoMT has not."""


def load_backbone(segmenter: EoMT, source: str | Path) -> None:
    """Put a pretrained ViT into the segmenter's backbone, in float32; positions are scaled to its
    grid.

    `source`: a .safetensors or .pth file with a ViT of the same size and kind under timm's names,
    or `timm:` and the name of a model that timm downloads, as in
    `timm:vit_small_patch16_dinov3_qkvb`. A classifier's head is left out; DINOv3 without biases in
    its attention gets zeros for them. Raises `WeightsError` when it cannot be read, or when any
    other tensor is missing, left over or of a wrong shape; the backbone is then as it was.
    """
    vit = segmenter.backbone.vit
    expected = vit.state_dict()
    found = {
        name: tensor.float()
        for name, tensor in _read(str(source)).items()
        if not name.startswith(HEAD)
    }
    for name in expected:
        if name.endswith(("attn.q_bias", "attn.v_bias")) and name not in found:
            found[name] = torch.zeros_like(expected[name])
    patches = "patch_embed.proj.weight"
    if patches in found and found[patches].ndim == 4:
        found[patches] = resample_patch_embed(found[patches], list(expected[patches].shape[-2:]))
    scale_positions(found, segmenter)
    wrong = [f"missing: {name}" for name in expected if name not in found]
    wrong += [f"left over: {name}" for name in found if name not in expected]
    wrong += [
        f"{name} is {tuple(found[name].shape)}, should be {tuple(expected[name].shape)}"
        for name in expected.keys() & found.keys()
        if found[name].shape != expected[name].shape
    ]
    if wrong:
        more = f"; and {len(wrong) - 5} more" if len(wrong) > 5 else ""
        raise WeightsError(
            f"{source} does not fit this backbone: {'; '.join(sorted(wrong)[:5])}{more}"
        )
    vit.load_state_dict(found)


def scale_positions(
    tensors: dict[str, torch.Tensor], segmenter: EoMT, name: str = "pos_embed"
) -> None:
    """Interpolate the learned positions among the tensors to the segmenter's grid, where both have
    some.
    """
    vit = segmenter.backbone.vit
    if name not in tensors or getattr(vit, "pos_embed", None) is None or tensors[name].ndim != 3:
        return
    num_prefix_tokens = 0 if vit.no_embed_class else vit.num_prefix_tokens
    old, new = math.isqrt(tensors[name].shape[1] - num_prefix_tokens), segmenter.backbone.grid
    if old**2 + num_prefix_tokens == tensors[name].shape[1]:
        tensors[name] = resample_abs_pos_embed(
            tensors[name], [new, new], [old, old], num_prefix_tokens=num_prefix_tokens
        )


def _read(source: str) -> dict[str, torch.Tensor]:
    if source.startswith("timm:"):
        logging.disable(logging.WARNING)  # the hub's client tells of each of its attempts
        try:
            return timm.create_model(source.removeprefix("timm:"), pretrained=True).state_dict()
        except Exception as error:  # whatever timm, the hub's client or the network raise
            raise WeightsError(
                f"timm cannot give the weights {source!r}: {' '.join(str(error).split())[:200]}; "
                "start=FILE takes weights that are here, start=null none"
            ) from error
        finally:
            logging.disable(logging.NOTSET)
    path = expand(source)
    if not path.is_file():
        raise WeightsError(
            f"no weights at {source!r}; give a .safetensors or .pth file, or timm: and the name of a model"
        )
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # damaged bytes make the unpickler raise anything
        reason = (str(error).splitlines() or [""])[0]
        raise WeightsError(
            f"cannot read the weights {source}: {type(error).__name__} {reason}"
        ) from error
    if isinstance(state, dict) and isinstance(state.get("model"), dict):
        state = state["model"]  # as DeiT publishes its own
    if not isinstance(state, dict) or not all(
        isinstance(tensor, torch.Tensor) for tensor in state.values()
    ):
        raise WeightsError(f"{source} holds no state dict, a mapping of names to tensors")
    return state
