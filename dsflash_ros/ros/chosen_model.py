"""The model that the parameters ask for.

Importing the pipeline takes seconds, so it waits until one is wanted.
"""

from dataclasses import replace
from typing import TYPE_CHECKING

from dsflash_ros.errors import DSFlashError, LanguageError, OptionError
from dsflash_ros.pipeline.asking import NAMES
from dsflash_ros.pipeline.choice import asked_of, pipeline_of, vocabulary_of
from dsflash_ros.ros import parameters
from dsflash_ros.ros.parameter_table import BY_NAME, OPTIONS
from dsflash_ros.ros.parameters import Value
from dsflash_ros.weights.names import is_here

if TYPE_CHECKING:
    from dsflash_ros.pipeline.pipeline import SceneGraphPipeline
    from dsflash_ros.weights.loading import OpenedWeights


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

    Weights that would have to be downloaded are not asked, unless they are given. Words that are
    not stored with the weights may need their text encoder, which is then loaded.
    """
    asked = asked_of(choice)
    asked.checked()
    if asked and (opened or is_here(choice["weights"])):  # what is not is told once it is
        from dsflash_ros.language.available import encoder_of
        from dsflash_ros.pipeline.asking import Asking
        from dsflash_ros.weights.loading import open_weights

        opened = opened or open_weights(choice["weights"], vocabulary_of(choice))
        encoder = encoder_of(opened, choice["text_encoder"])
        Asking.of(asked, opened.header, opened.name, encoder)


def refusal_of_model(
    changes: dict[str, Value], choice: dict[str, Value], pipeline: "SceneGraphPipeline | None"
) -> str:
    """Why the model cannot do with changes of parameters, as a sentence; empty when it can.

    Args:
        changes: which may name what is no parameter of ours.
        choice: all present values.
        pipeline: the model; None while it is not loaded.
    """
    read = {
        name: parameters.read(value, BY_NAME[name])
        for name, value in changes.items()
        if name in BY_NAME
    }
    try:
        options = {name: read[name] for name in OPTIONS if name in read}
        if options and pipeline is not None:
            pipeline.check_options(replace(pipeline.options, **options))
        if read.keys() & {*NAMES, "text_encoder"}:
            if pipeline is not None:
                pipeline.check_names(asked_of(choice | read))
            else:
                check_names(choice | read)
    except (LanguageError, OptionError) as error:
        return str(error)
    except DSFlashError:
        return ""  # of the weights, which on_configure tells
    return ""


def load_pipeline(choice: dict[str, Value]):
    """The `SceneGraphPipeline` for these parameters. Raises `WeightsError`, `DeviceError`."""
    return pipeline_of(choice)
