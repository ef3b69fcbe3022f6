"""Backbones that others pretrained, under timm's names."""

import logging
from pathlib import Path

import timm
import torch
from safetensors.torch import load_file
from timm.layers import resample_patch_embed

from dsflash_ros.errors import WeightsError
from dsflash_ros.files import expand
from dsflash_ros.model.segmenters.segmenter import PretrainedPart


def load_backbone(backbone: PretrainedPart, source: str | Path) -> None:
    """Put pretrained weights into the backbone, in float32; positions are scaled to its grid.

    `source`: a .safetensors or .pth file with one of the same size and kind under timm's names,
    or `timm:` and the name of a model that timm downloads, as in
    `timm:vit_small_patch16_dinov3_qkvb`. A classifier's head is left out; DINOv3 without biases in
    its attention gets zeros for them. Raises `WeightsError` when it cannot be read, or when any
    other tensor is missing, left over or of a wrong shape; the backbone is then as it was.
    """
    expected = backbone.timm_model.state_dict()
    try:
        tensors = backbone.fit_names(_read(str(source)))
    except WeightsError as error:
        raise WeightsError(f"{source} does not fit this backbone: {error}") from error
    found = {
        name: tensor.float()
        for name, tensor in tensors.items()
        if not name.startswith(backbone.heads)
    }
    for name in expected:
        if name.endswith(("attn.q_bias", "attn.v_bias")) and name not in found:
            found[name] = torch.zeros_like(expected[name])
    patches = "patch_embed.proj.weight"
    if patches in found and found[patches].ndim == 4:
        found[patches] = resample_patch_embed(found[patches], list(expected[patches].shape[-2:]))
    backbone.fit_positions(found)
    for name in expected:
        if name.endswith("num_batches_tracked"):
            found.setdefault(name, expected[name])  # not every file has them, and nothing uses them
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
    backbone.timm_model.load_state_dict(found)


def _read(source: str) -> dict[str, torch.Tensor]:
    if source.startswith("timm:"):
        logging.disable(logging.WARNING)  # the hub's client reports each of its attempts
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
            f"no weights at {source!r}; give a .safetensors or .pth file, "
            "or timm: and the name of a model"
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
