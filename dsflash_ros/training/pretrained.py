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
from dsflash_ros.model.eomt import EoMT

HEAD = ("head.", "fc_norm.")
"""What a classifier has and EoMT has not."""


def load_backbone(segmenter: EoMT, source: str | Path) -> None:
    """Put a pretrained ViT into the segmenter's backbone, in float32; positions are scaled to its grid.

    `source`: a .safetensors or .pth file with a ViT of the same size and kind under timm's names, or `timm:` and the
    name of a model that timm downloads, as in `timm:vit_small_patch16_dinov3_qkvb`. A classifier's head is left out;
    DINOv3 without biases in its attention gets zeros for them. Raises `WeightsError` when it cannot be read, or
    when any other tensor is missing, left over or of a wrong shape; the backbone is then as it was.
    """
    vit = segmenter.backbone.vit
    expected = vit.state_dict()
    found = {name: tensor.float() for name, tensor in _read(str(source)).items() if not name.startswith(HEAD)}
    for name in expected:
        if name.endswith(("attn.q_bias", "attn.v_bias")) and name not in found:
            found[name] = torch.zeros_like(expected[name])
    _resample(found, expected, 0 if vit.no_embed_class else vit.num_prefix_tokens)
    wrong = [f"missing: {name}" for name in expected if name not in found]
    wrong += [f"left over: {name}" for name in found if name not in expected]
    wrong += [
        f"{name} is {tuple(found[name].shape)}, should be {tuple(expected[name].shape)}"
        for name in expected.keys() & found.keys()
        if found[name].shape != expected[name].shape
    ]
    if wrong:
        more = f"; and {len(wrong) - 5} more" if len(wrong) > 5 else ""
        raise WeightsError(f"{source} does not fit this backbone: {'; '.join(sorted(wrong)[:5])}{more}")
    vit.load_state_dict(found)


def _resample(found: dict[str, torch.Tensor], expected: dict[str, torch.Tensor], num_prefix_tokens: int) -> None:
    """Scale patch embedding and positions to other patches and grids, where there are any."""
    patches, positions = "patch_embed.proj.weight", "pos_embed"
    if patches in found and found[patches].ndim == 4:
        found[patches] = resample_patch_embed(found[patches], list(expected[patches].shape[-2:]))
    if positions in found and positions in expected and found[positions].ndim == 3:
        old, new = (math.isqrt(tensors[positions].shape[1] - num_prefix_tokens) for tensors in (found, expected))
        if old**2 + num_prefix_tokens == found[positions].shape[1]:
            found[positions] = resample_abs_pos_embed(
                found[positions], [new, new], [old, old], num_prefix_tokens=num_prefix_tokens
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
        raise WeightsError(f"cannot read the weights {source}: {type(error).__name__} {reason}") from error
    if isinstance(state, dict) and isinstance(state.get("model"), dict):
        state = state["model"]  # as DeiT publishes its own
    if not isinstance(state, dict) or not all(isinstance(tensor, torch.Tensor) for tensor in state.values()):
        raise WeightsError(f"{source} holds no state dict, a mapping of names to tensors")
    return state
