"""The model that the parameters ask for.

Importing the pipeline takes seconds, so it waits until one is wanted.
"""

from typing import TYPE_CHECKING

from dsflash_ros.pipeline.asking import NAMES
from dsflash_ros.pipeline.choice import asked_of, pipeline_of, vocabulary_of
from dsflash_ros.ros.parameters import Value

if TYPE_CHECKING:
    from dsflash_ros.weights.loading import OpenedWeights

WORDS = (*NAMES, "text_encoder")
"""Parameters that say what to tell apart."""


def check_choice(choice: dict[str, Value]) -> None:
    """Check weights, backend and device without loading the model.

    Weights that are not here are fetched and converted. Raises `WeightsError`, `DeviceError`,
    `MissingExtraError`, `OutputError`.
    """
    from dsflash_ros.pipeline.backends.choosing import check_backend
    from dsflash_ros.weights.loading import open_weights

    opened = open_weights(choice["weights"], vocabulary_of(choice))
    check_names(choice, opened)
    names = ("device", "precision", "compile")
    check_backend(choice["backend"], opened, *(choice[name] for name in names))


def check_names(choice: dict[str, Value], opened: "OpenedWeights | None" = None) -> None:
    """Check that the weights can be asked for the names; raises `LanguageError` and others.

    Words that are not stored with the weights may need their text encoder, which is then loaded.
    """
    asked = asked_of(choice)
    if asked:
        from dsflash_ros.language.available import encoder_of
        from dsflash_ros.pipeline.asking import Asking
        from dsflash_ros.weights.loading import open_weights

        opened = opened or open_weights(choice["weights"], vocabulary_of(choice))
        encoder = encoder_of(opened, choice["text_encoder"])
        Asking.of(asked, opened.header, opened.name, encoder)


def load_pipeline(choice: dict[str, Value]):
    """The `SceneGraphPipeline` for these parameters. Raises `WeightsError`, `DeviceError`."""
    return pipeline_of(choice)
