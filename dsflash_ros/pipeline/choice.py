"""A pipeline from the values of all options by name, as arguments and parameters have them."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from dsflash_ros.graph.vocabulary import Vocabulary
from dsflash_ros.option import Value
from dsflash_ros.pipeline.options import FRAME_OPTIONS, Options

if TYPE_CHECKING:
    from dsflash_ros.pipeline.pipeline import SceneGraphPipeline
    from dsflash_ros.weights.loading import OpenedWeights


def pipeline_of(
    choice: Mapping[str, Value], opened: "OpenedWeights | None" = None
) -> "SceneGraphPipeline":
    """The pipeline for these values of `MODEL_OPTIONS` and `FRAME_OPTIONS`.

    Args:
        choice: may have other names, too.
        opened: the weights, where the caller has them already.

    Raises:
        WeightsError, DeviceError, MissingExtraError: as `SceneGraphPipeline.from_weights` does.
    """
    from dsflash_ros.pipeline.pipeline import SceneGraphPipeline

    return SceneGraphPipeline.from_weights(
        opened or choice["weights"],
        backend=choice["backend"],
        device=choice["device"],
        precision=choice["precision"],
        compile=choice["compile"],
        threads=choice["threads"],
        vocabulary=vocabulary_of(choice),
        options=Options(**{option.name: choice[option.name] for option in FRAME_OPTIONS}),
    )


def vocabulary_of(choice: Mapping[str, Value]) -> Vocabulary | None:
    """The vocabulary that the weights must have; None for any."""
    name = choice["vocabulary"]
    return Vocabulary.load(name) if name else None
