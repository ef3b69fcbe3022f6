"""From an EoMT checkpoint of another code base to one of ours."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from timm.layers import resample_abs_pos_embed

from dsflash_ros.conversion.dinov3 import is_delta, read_base
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
from dsflash_ros.errors import WeightsError
from dsflash_ros.graph.vocabulary import Vocabulary
from dsflash_ros.model.assembly import DSFlash
from dsflash_ros.model.checkpoints import Header
from dsflash_ros.model.config import ModelConfig

_EPSILON = {"dinov2": 1e-6, "dinov3": 1e-5}
"""Of the backbones' layer normalisations, as they were trained."""

_POSITIONS = "backbone.vit.pos_embed"


@dataclass(frozen=True)
class Conversion:
    """A model ready to be saved, and what a person should know of it, line by line."""

    model: DSFlash
    header: Header
    summary: list[str]


def convert(
    source: str | Path,
    base: str | Path | None = None,
    image_size: int | None = None,
    vocabulary: Vocabulary | None = None,
) -> Conversion:
    """Read an EoMT in the original or in transformers' layout. Its relation stage is untrained.

    Args:
        source: a file, the index of a sharded checkpoint, or a folder.
        base: the DINOv3 that the weights are differences to, when they are.
        image_size: side of the network input, pixels; learned positions are interpolated. None: the
            checkpoint's own.
        vocabulary: names of the classes; None: PSG's, for checkpoints with the 133 classes of COCO
            panoptic.

    Raises:
        WeightsError: the files are damaged, of an unknown layout, do not fit, or need other
            arguments.
    """
    foreign = read_foreign(source)
    layout = detect(foreign.tensors)
    if layout is None:
        raise WeightsError(
            f"{foreign.path} is no EoMT in a layout that is known ({', '.join(x.name for x in LAYOUTS)}); "
            f"its tensors are called {', '.join(list(foreign.tensors)[:3])} ..."
        )
    try:
        return _convert(foreign, layout, base, image_size, vocabulary)
    except WeightsError as error:
        raise WeightsError(f"{foreign.path}: {error}") from error


def _convert(foreign, layout, base, image_size, vocabulary) -> Conversion:
    tensors = foreign.tensors
    said = foreign.config.get("image_size")
    own = config_of(layout, tensors, said if isinstance(said, int) else None)
    _check_base(
        is_delta(tensors) if layout in (ORIGINAL_DINOV2, ORIGINAL_DINOV3) else False,
        layout,
        own,
        base,
    )
    vocabulary = _choose_vocabulary(vocabulary, own.num_classes)
    notes = _notes(foreign, layout, own, image_size, is_difference=base is not None)

    expected = expected_tensors(own)
    weights = {
        name: tensor for name, tensor in tensors.items() if not _is_pixel_buffer(layout, name)
    }
    state = rename(layout, weights, expected, f"a {own.size} EoMT with {own.num_classes} classes")
    recipe = {"source": foreign.path.name, "layout": layout.name, "sha256": foreign.sha256}
    if base is not None:
        backbone, recipe["base"] = read_base(base, own)
        # what lies outside the encoder, and EoMT's own loader starts from zero there, is no
        # difference
        state |= {name: state[name] + tensor for name, tensor in backbone.items()}
        notes.append(
            f"base: {recipe['base']['layout']}, added to the {len(backbone)} tensors of the backbone"
        )

    config = replace(
        own,
        image_size=image_size or own.image_size,
        num_things=len(vocabulary.things),
        num_stuff=len(vocabulary.stuff),
        num_predicates=len(vocabulary.predicates),
    )
    if layout.backbone == "dinov2" and config.grid != own.grid:
        grids = f"{own.grid}x{own.grid} to {config.grid}x{config.grid}"
        recipe["interpolated"] = f"positions, {grids}"
        notes.append(f"positions: interpolated from {grids} patches")
        state[_POSITIONS] = resample_abs_pos_embed(
            state[_POSITIONS], (config.grid, config.grid), (own.grid, own.grid), num_prefix_tokens=0
        )
    return Conversion(
        _model(config, state),
        Header(config, vocabulary, recipe=recipe, trained=("segmenter",)),
        [
            f"layout: {layout.name}",
            f"model: {config.size}, backbone {config.backbone}, {config.image_size} x {config.image_size} pixels, "
            f"{config.num_queries} queries",
            f"classes: {config.num_classes} ({config.num_things} things, {config.num_stuff} stuff)",
            f"tensors: {len(tensors)}, of which {len(tensors) - len(weights) + _others(layout, weights)} "
            "are no weights (pixel statistics, training's masks and loss)",
            *notes,
        ],
    )


def _model(config: ModelConfig, state: Mapping[str, torch.Tensor]) -> DSFlash:
    """The same file gives the same tensors every time: the untrained relation stage is seeded."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = DSFlash(config)
    model.segmenter.load_state_dict(state)
    return model.eval()


def _check_base(delta: bool, layout: Layout, config: ModelConfig, base: str | Path | None) -> None:
    if delta and layout.backbone != "dinov3":
        raise WeightsError(
            "its pixel statistics are zero, as in differences to DINOv3, but its backbone is DINOv2"
        )
    if delta and base is None:
        word = {"small": "vits16", "base": "vitb16", "large": "vitl16"}[config.size]
        raise WeightsError(
            "these are differences to DINOv3's weights, which are needed, too: give them with --base, "
            f"for example --base facebook/dinov3-{word}-pretrain-lvd1689m"
        )
    if base is not None and not delta:
        raise WeightsError(
            f"these are whole weights ({layout.name}), to which no base is added; leave out --base"
        )


def _choose_vocabulary(vocabulary: Vocabulary | None, classes: int) -> Vocabulary:
    chosen = vocabulary or Vocabulary.psg()
    if len(chosen.classes) == classes:
        return chosen
    if vocabulary is None:
        raise WeightsError(
            f"it tells {classes} classes apart, not the {len(chosen.classes)} of COCO panoptic; say what they are with "
            '--vocabulary FILE.json: {"things": [...], "stuff": [...], "predicates": [...]}, in the order of its '
            "classes, things first"
        )
    raise WeightsError(
        f"it tells {classes} classes apart, but the vocabulary names {len(chosen.classes)}"
    )


def _notes(
    foreign: ForeignCheckpoint,
    layout: Layout,
    own: ModelConfig,
    image_size: int | None,
    is_difference: bool,
) -> list[str]:
    """What is odd about a checkpoint.

    Raises `WeightsError` where it would give another model than ours.
    """
    notes = []
    for name, tensor in foreign.tensors.items():
        if name.endswith("attn_mask_probs"):
            if len(tensor) != own.architecture.query_blocks:
                raise WeightsError(
                    f"its queries join before the last {len(tensor)} blocks, "
                    f"but before the last {own.architecture.query_blocks} in our {own.size} model"
                )
            probabilities = tensor.float() + (
                1 if is_difference else 0
            )  # EoMT starts training at 1
            if probabilities.abs().max() > 1e-3:
                notes.append(
                    f"note: trained with masked attention that was not annealed away ({name} is "
                    f"{[round(value, 3) for value in probabilities.tolist()]}); it is plain here, results will differ"
                )
    epsilon = foreign.config.get("layer_norm_eps", _EPSILON[layout.backbone])
    if epsilon != _EPSILON[layout.backbone]:
        notes.append(
            f"note: its config.json has layer_norm_eps {epsilon}; {_EPSILON[layout.backbone]} is used, "
            f"with which {layout.backbone} and EoMT were trained"
        )
    if layout.backbone == "dinov3" and not (
        image_size or isinstance(foreign.config.get("image_size"), int)
    ):
        notes.append(
            f"note: the file does not say its image size, {own.image_size} is taken; else give --image-size"
        )
    return notes


def _is_pixel_buffer(layout: Layout, name: str) -> bool:
    return layout in (ORIGINAL_DINOV2, ORIGINAL_DINOV3) and name.startswith(
        "network.encoder.pixel_"
    )


def _others(layout: Layout, tensors: Mapping[str, torch.Tensor]) -> int:
    return sum(layout.is_other(name) for name in tensors)
