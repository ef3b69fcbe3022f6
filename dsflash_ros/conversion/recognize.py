"""What a checkpoint of another code base is, and what its conversion has to be told."""

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from dsflash_ros.conversion.class_names import class_names, why_not_coco
from dsflash_ros.conversion.dinov3 import is_delta, published_name
from dsflash_ros.conversion.dsformer import is_dsformer
from dsflash_ros.conversion.foreign import ForeignCheckpoint
from dsflash_ros.conversion.layouts import ORIGINAL_DINOV3, Layout, config_of, detect
from dsflash_ros.conversion.mask2former_conversion import renamed_queries
from dsflash_ros.conversion.mask2former_layouts import detect_mask2former
from dsflash_ros.conversion.mask2former_sizes import config_of_mask2former
from dsflash_ros.errors import ForeignWeightsError
from dsflash_ros.model.config import ModelConfig


class Need(NamedTuple):
    """An argument of `dsflash weights convert` that a checkpoint makes necessary, and why."""

    argument: str
    reason: str


@dataclass(frozen=True)
class Recognized:
    """A checkpoint whose layout is known.

    Attributes:
        layout: what people call it.
        config: of the segmenter; None for a DSFormer, which has none.
        image_size: side of its input in pixels; None where nothing tells it.
        is_delta: whether its tensors are differences to DINOv3's.
        needs: what its conversion has to be told.
    """

    layout: str
    config: ModelConfig | None
    image_size: int | None
    is_delta: bool
    needs: tuple[Need, ...]

    def command(self, source: str | Path) -> str:
        """What to type to convert it; words in capitals are for the user to fill in."""
        arguments = " ".join(need.argument for need in self.needs)
        return f"dsflash weights convert {source} --out NEW.safetensors {arguments}".rstrip()


def recognize(foreign: ForeignCheckpoint) -> Recognized:
    """Tell the layout from the names of the tensors, and the sizes from their shapes.

    Raises `ForeignWeightsError` when it is none that is known, `WeightsError` when tensors that
    tell the size are missing.
    """
    if is_dsformer(foreign.tensors):
        need = Need("--into OURS.safetensors", "it has a relation stage only")
        return Recognized("DSFormer (fair-psgg)", None, None, False, (need,))
    layout = detect_mask2former(foreign.tensors)
    if layout is not None:
        return _recognize_mask2former(foreign, layout)
    layout = detect(foreign.tensors)
    if layout is None:
        raise ForeignWeightsError(
            f"{foreign.path} is neither a checkpoint of dsflash_ros nor in a layout "
            "that can be converted"
        )
    config = config_of(layout, foreign.tensors, foreign.image_size)
    # Rotary positions have no size, so that the tensors do not tell it.
    is_known = config.backbone == "dinov2" or foreign.image_size is not None
    delta = layout is ORIGINAL_DINOV3 and is_delta(foreign.tensors)
    return Recognized(
        layout.name,
        config,
        config.image_size if is_known else None,
        delta,
        _needs(foreign, config, is_known, delta),
    )


def _recognize_mask2former(foreign: ForeignCheckpoint, layout: Layout) -> Recognized:
    """Its size of images is what such models learned from, unless config.json says another."""
    tensors = renamed_queries(foreign.tensors)
    config = config_of_mask2former(layout, tensors, foreign.image_size)
    needs = _needs(foreign, config, knows_image_size=True, delta=False)
    return Recognized(layout.name, config, config.image_size, False, needs)


def _needs(
    foreign: ForeignCheckpoint, config: ModelConfig, knows_image_size: bool, delta: bool
) -> tuple[Need, ...]:
    needs = []
    if not knows_image_size:
        needs.append(Need("--image-size N", "nothing tells its image size"))
    if delta:
        reason = f"its tensors are differences to a DINOv3, {published_name(config)}"
        needs.append(Need("--base DINOV3", reason))
    reason = why_not_coco(class_names(foreign.config), config.num_classes)
    if reason:
        needs.append(Need("--vocabulary NAMES.json", reason))
    return tuple(needs)
