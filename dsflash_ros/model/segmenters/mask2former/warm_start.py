"""A Mask2Former that starts from another one, as a progressive one does from the original."""

from typing import TYPE_CHECKING

import torch

from dsflash_ros.model.layers.named_logits import has_same_tensors
from dsflash_ros.model.segmenters.mask2former.mask2former_settings import HEADS

if TYPE_CHECKING:
    from dsflash_ros.model.segmenters.mask2former.mask2former import Mask2Former

_STAGES = "pixel_decoder.stages."
_GATE = "pixel_decoder.recalibration."
_CONV = "pixel_decoder.embedding.conv."
_CLASSES = "decoder.class_head."

Layer = dict[str, torch.Tensor]
"""Tensors by name."""


def fitted_state(target: "Mask2Former", state: Layer, same_classes: bool) -> Layer:
    """The state dict of another Mask2Former, made to fit `target`.

    - A stage with other numbers of layers takes the last layers of the other one that see as many
      maps or more. Of those that see more, it takes the rows of its own maps. Where these are too
      few, the first of them stands for those before it.
    - Where only the target recalibrates its tokens, which halves them at first, the tokens are
      doubled.
    - Where the pixel embedding is of the other kind, a 3x3 convolution is left out or is new.
    - Without `same_classes`, or where only one of both knows classes by their text embeddings, the
      class head is new.

    Tensors whose shapes still do not fit stay as they are.
    """
    own = target.state_dict()
    kept = dict(state)
    if _has(own, _GATE) and not _has(state, _GATE):
        _double_tokens(kept)
    same_head = same_classes and has_same_tensors(own, state, _CLASSES)
    new = [_STAGES] if same_head else [_STAGES, _CLASSES]
    new += [part for part in (_GATE, _CONV) if _has(own, part) != _has(state, part)]
    kept = {name: tensor for name, tensor in kept.items() if not name.startswith(tuple(new))}
    kept |= {name: tensor for name, tensor in own.items() if name.startswith(tuple(new))}
    return kept | _fitted_layers(target, state)


def _has(state: Layer, prefix: str) -> bool:
    return any(name.startswith(prefix) for name in state)


def _double_tokens(state: Layer) -> None:
    for level in (0, 1):
        for name in ("weight", "bias"):
            key = f"pixel_decoder.projections.{level}.1.{name}"
            state[key] = 2 * state[key]


def _fitted_layers(target: "Mask2Former", state: Layer) -> Layer:
    """The tensors of all encoder layers of the target."""
    stages = [_layers(state, stage) for stage in range(3)]
    wanted = target.settings.layers
    fitted = {}
    for stage, count in enumerate(wanted):
        layers = stages[stage]
        if len(layers) != count:
            seen = [(levels, layer) for levels in range(stage, 3) for layer in stages[levels]]
            layers = [_sliced(layer, levels + 1, stage + 1) for levels, layer in seen[-count:]]
            if layers:
                layers = [layers[0]] * (count - len(layers)) + layers
        for index, layer in enumerate(layers[:count]):
            fitted |= {f"{_STAGES}{stage}.{index}.{name}": layer[name] for name in layer}
    return fitted


def _layers(state: Layer, stage: int) -> list[Layer]:
    """The layers of a stage, each with its tensors by name."""
    layers: dict[int, Layer] = {}
    prefix = f"{_STAGES}{stage}."
    for name, tensor in state.items():
        if name.startswith(prefix):
            index, _, rest = name.removeprefix(prefix).partition(".")
            layers.setdefault(int(index), {})[rest] = tensor
    return [layers[index] for index in sorted(layers)]


def _sliced(layer: Layer, levels: int, wanted: int) -> Layer:
    """A layer that sees `levels` maps, cut to the first `wanted` of them."""
    cut = dict(layer)
    for name in layer:
        if name.startswith(("attention.offsets.", "attention.weights.")):
            rows = layer[name].unflatten(0, (HEADS, levels, -1))
            cut[name] = rows[:, :wanted].flatten(0, 2)
    return cut
