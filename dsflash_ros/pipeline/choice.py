"""The values of all options by name, as arguments and parameters have them; pipelines of them."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from dsflash_ros.errors import OutputError
from dsflash_ros.graph.vocabulary import Vocabulary
from dsflash_ros.option import Value
from dsflash_ros.pipeline.asking import NAMES, Asked
from dsflash_ros.pipeline.options import FRAME_OPTIONS, MODEL_OPTIONS, Options
from dsflash_ros.tracking.tracking_options import TRACKING_OPTIONS

if TYPE_CHECKING:
    from dsflash_ros.pipeline.pipeline import SceneGraphPipeline
    from dsflash_ros.weights.loading import OpenedWeights

OPTIONS = (*MODEL_OPTIONS, *FRAME_OPTIONS, *TRACKING_OPTIONS)
"""Of the model, of images and of tracking."""

_OF_A_MACHINE = ("threads", "device")
"""Options that may change when work goes on."""


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
        classes=choice["classes"],
        stuff_classes=choice["stuff_classes"],
        predicates=choice["predicates"],
        text_encoder=choice["text_encoder"],
        image_encoder=choice["image_encoder"],
        options=Options(**{option.name: choice[option.name] for option in FRAME_OPTIONS}),
    )


def vocabulary_of(choice: Mapping[str, Value]) -> Vocabulary | None:
    """The vocabulary that the weights must have; None for any."""
    name = choice["vocabulary"]
    return Vocabulary.load(name) if name else None


def asked_of(choice: Mapping[str, Value]) -> Asked:
    """The names to tell apart."""
    return Asked(*(choice[name] for name in NAMES))


def settings_of(choice: Mapping[str, Value]) -> dict:
    """Those of `OPTIONS` that must not change when work on the same results goes on, as of JSON."""
    kept = {one.name: choice[one.name] for one in OPTIONS if one.name not in _OF_A_MACHINE}
    return {name: list(one) if isinstance(one, tuple) else one for name, one in kept.items()}


def check_settings(place: Path | str, known: Mapping, wanted: Mapping) -> None:
    """Raise `OutputError` when the results at a place were made with other settings than wanted."""
    wanted = json.loads(json.dumps(wanted))
    changed = [key for key, value in wanted.items() if known.get(key) != value]
    if changed:
        raise OutputError(
            f"{place} was made with other settings ({', '.join(changed)}): give another --out, or "
            "--overwrite to replace it"
        )
