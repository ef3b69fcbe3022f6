"""From a segmenter's checkpoint of another code base to one of ours."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import torch

from dsflash_ros.conversion.class_names import choose_vocabulary, class_names, reorder_classes
from dsflash_ros.conversion.dinov3 import is_delta, published_name, read_base
from dsflash_ros.conversion.foreign import ForeignCheckpoint, read_foreign
from dsflash_ros.conversion.layouts import (
    LAYOUTS,
    ORIGINAL_DINOV2,
    ORIGINAL_DINOV3,
    Layout,
    config_of,
    detect,
    expected_tensors,
    rename,
)
from dsflash_ros.conversion.mask2former_conversion import convert_mask2former
from dsflash_ros.conversion.mask2former_layouts import LAYOUTS as MASK2FORMER_LAYOUTS
from dsflash_ros.conversion.mask2former_layouts import detect_mask2former
from dsflash_ros.conversion.oddities import oddities
from dsflash_ros.conversion.outcome import Conversion, untrained_around
from dsflash_ros.errors import WeightsError
from dsflash_ros.graph.vocabulary import Vocabulary
from dsflash_ros.model.checkpoints import Header
from dsflash_ros.model.config import ModelConfig
from dsflash_ros.model.segmenters.vit import resample_positions

CONVERTER_VERSION = 2
"""To be raised whenever the same file gives other tensors than before, or another header: what
`weights.converted` keeps in the user's cache is made anew then."""

_ORIGINAL = (ORIGINAL_DINOV2, ORIGINAL_DINOV3)
_POSITIONS = "backbone.vit.pos_embed"


def convert(
    source: str | Path,
    base: str | Path | None = None,
    image_size: int | None = None,
    vocabulary: Vocabulary | None = None,
) -> Conversion:
    """Read an EoMT or a Mask2Former of another code base. Its relation stage is untrained.

    Args:
        source: a file, the index of a sharded checkpoint, or a folder.
        base: the DINOv3 that the weights are differences to, when they are.
        image_size: side of the network input, pixels; learned positions are interpolated. None: the
            checkpoint's own, or what such models learned from.
        vocabulary: names of the classes, in whose order they are put where the config.json has the
            same names. None: PSG's, for checkpoints with the 133 classes of COCO panoptic.

    Raises:
        WeightsError: the files are damaged, of an unknown layout, do not fit, or need other
            arguments.
    """
    return convert_foreign(read_foreign(source), base, image_size, vocabulary)


def convert_foreign(
    foreign: ForeignCheckpoint,
    base: str | Path | None = None,
    image_size: int | None = None,
    vocabulary: Vocabulary | None = None,
) -> Conversion:
    """As `convert`, of a checkpoint that was read already."""
    layout, other = detect(foreign.tensors), detect_mask2former(foreign.tensors)
    if layout is None and other is None:
        known = ", ".join(layout.name for layout in (*LAYOUTS, *MASK2FORMER_LAYOUTS))
        raise WeightsError(
            f"{foreign.path} is no segmenter in a layout that is known ({known}); "
            f"its tensors are called {', '.join(list(foreign.tensors)[:3])} ..."
        )
    try:
        if layout:
            return _convert(foreign, layout, base, image_size, vocabulary)
        if base is not None:
            raise WeightsError(f"these are whole weights ({other.name}); leave out --base")
        return convert_mask2former(foreign, other, image_size, vocabulary)
    except WeightsError as error:
        raise WeightsError(f"{foreign.path}: {error}") from error


def _convert(
    foreign: ForeignCheckpoint,
    layout: Layout,
    base: str | Path | None,
    image_size: int | None,
    vocabulary: Vocabulary | None,
) -> Conversion:
    own = config_of(layout, foreign.tensors, foreign.image_size)
    _check_base(foreign, layout, own, base)
    names = class_names(foreign.config)
    vocabulary = choose_vocabulary(vocabulary, names, own.num_classes)
    notes = oddities(foreign, layout, own, image_size, is_difference=base is not None)
    remarks = list(notes)

    weights = _weights(layout, foreign.tensors)
    what = f"a {own.size} EoMT with {own.num_classes} classes"
    state = rename(layout, weights, expected_tensors(own), what)
    remarks += reorder_classes(state, "class_head", names, vocabulary)
    recipe = {"source": foreign.path.name, "layout": layout.name, "sha256": foreign.sha256}
    if base is not None:
        recipe["base"] = _add_base(state, base, own, remarks)
    config = replace(
        own,
        image_size=image_size or own.image_size,
        num_things=len(vocabulary.things),
        num_stuff=len(vocabulary.stuff),
        num_predicates=len(vocabulary.predicates),
    )
    if layout.backbone == "dinov2" and config.grid != own.grid:
        recipe["interpolated"] = _interpolate_positions(state, own.grid, config.grid, remarks)
    return Conversion(
        untrained_around(config, state),
        Header(config, vocabulary, recipe=recipe, trained=("segmenter",)),
        [*_summary(foreign, layout, config), *remarks],
        tuple(notes),
    )


def _add_base(
    state: dict[str, torch.Tensor], base: str | Path, own: ModelConfig, remarks: list[str]
) -> dict:
    """Add the base to the differences in `state`. Returns what the recipe says of it.

    What lies outside the encoder, and EoMT's own loader starts from zero there, is no difference.
    """
    backbone, about = read_base(base, own)
    for name, tensor in backbone.items():
        state[name] = state[name] + tensor
    remarks.append(f"base: {about['layout']}, added to the {len(backbone)} tensors of the backbone")
    return about


def _interpolate_positions(
    state: dict[str, torch.Tensor], old: int, new: int, remarks: list[str]
) -> str:
    """Scale the learned positions in `state` to another grid. Returns the recipe's line."""
    state[_POSITIONS] = resample_positions(state[_POSITIONS], old, new)
    grids = f"{old}x{old} to {new}x{new}"
    remarks.append(f"positions: interpolated from {grids} patches")
    return f"positions, {grids}"


def _check_base(
    foreign: ForeignCheckpoint, layout: Layout, config: ModelConfig, base: str | Path | None
) -> None:
    delta = layout in _ORIGINAL and is_delta(foreign.tensors)
    if delta and layout.backbone != "dinov3":
        raise WeightsError(
            "its pixel statistics are zero, as in differences to DINOv3, but its backbone is DINOv2"
        )
    if delta and base is None:
        raise WeightsError(
            "these are differences to DINOv3's weights, which are needed, too: "
            f"give them with --base, for example --base {published_name(config)}"
        )
    if base is not None and not delta:
        raise WeightsError(
            f"these are whole weights ({layout.name}), to which no base is added; leave out --base"
        )


def _weights(layout: Layout, tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The tensors without the statistics of pixels, which `_check_base` has looked at."""
    if layout not in _ORIGINAL:
        return dict(tensors)
    return {
        name: tensor
        for name, tensor in tensors.items()
        if not name.startswith("network.encoder.pixel_")
    }


def _summary(foreign: ForeignCheckpoint, layout: Layout, config: ModelConfig) -> list[str]:
    weights = _weights(layout, foreign.tensors)
    no_weights = len(foreign.tensors) - len(weights)
    no_weights += sum(layout.is_other(name) for name in weights)
    return [
        f"layout: {layout.name}",
        f"model: {config.size}, backbone {config.backbone}, "
        f"{config.image_size} x {config.image_size} pixels, {config.num_queries} queries",
        f"classes: {config.num_classes} ({config.num_things} things, {config.num_stuff} stuff)",
        f"tensors: {len(foreign.tensors)}, of which {no_weights} are no weights "
        "(pixel statistics, training's masks and loss)",
    ]
