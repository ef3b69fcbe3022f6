"""Relation stages: pairs of segments in, scores of predicates out.

`relater.py` says what a relation stage is. A new one is a file here and a line in `RELATERS`; a
package of its own calls `register_relater`. Importing this package imports no torch.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from dsflash_ros.model.registry import Registry

if TYPE_CHECKING:
    from dsflash_ros.model.config import ModelConfig
    from dsflash_ros.model.relaters.relater import RelationStage
    from dsflash_ros.model.segmenters.segmenter import Segmenter

    Factory = Callable[[ModelConfig, int, int], RelationStage]

RELATERS = Registry(
    "relation stage",
    {
        "dsflash": "dsflash_ros.model.relaters.dsflash:make_dsflash",
        "objects": "dsflash_ros.model.relaters.objects:make_objects",
        "rgt": "dsflash_ros.model.relaters.rgt:make_rgt",
    },
)
"""By the names that `ModelConfig.relater` can have."""


def make_relater(config: "ModelConfig", segmenter: "Segmenter") -> "RelationStage":
    """The relation stage that the config names, for the segmenter's features; fresh weights."""
    factory = RELATERS.factory(config.relater)
    return factory(config, segmenter.feature_channels, segmenter.feature_stride)


def register_relater(name: str, factory: "str | Factory") -> None:
    """Let `ModelConfig.relater` be `name`.

    `factory` makes the stage from a config and the channels and stride of the segmenter's features;
    as text, `module:function`, it is imported when it is needed. Raises `ValueError` when the name
    is taken.
    """
    RELATERS.register(name, factory)
