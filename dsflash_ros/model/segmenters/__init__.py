"""Segmenters: images in, masks, classes and features out.

`segmenter.py` says what a segmenter is. A new one is a file here and a line in `SEGMENTERS`; a
package of its own calls `register_segmenter`. Importing this package imports no torch.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from dsflash_ros.model.registry import Registry

if TYPE_CHECKING:
    from dsflash_ros.model.config import ModelConfig
    from dsflash_ros.model.segmenters.segmenter import Segmenter

SEGMENTERS = Registry(
    "segmenter",
    {
        "eomt": "dsflash_ros.model.segmenters.eomt:make_eomt",
        "mask2former": ("dsflash_ros.model.segmenters.mask2former.mask2former:make_mask2former"),
        "diffusion": "dsflash_ros.model.segmenters.diffusion.diffusion_segmenter:make_diffusion",
    },
)
"""By the names that `ModelConfig.segmenter` can have."""


def make_segmenter(config: "ModelConfig") -> "Segmenter":
    """The segmenter that the config names, with fresh random weights."""
    return SEGMENTERS.factory(config.segmenter)(config)


def register_segmenter(name: str, factory: "str | Callable[[ModelConfig], Segmenter]") -> None:
    """Let `ModelConfig.segmenter` be `name`.

    `factory` makes the segmenter of a config; as text, `module:function`, it is imported when it is
    needed. Raises `ValueError` when the name is taken.
    """
    SEGMENTERS.register(name, factory)
