"""The model that the parameters ask for.

Importing the pipeline takes seconds, so it waits until one is wanted.
"""

from dsflash_ros.pipeline.choice import pipeline_of, vocabulary_of
from dsflash_ros.ros.parameters import Value


def check_choice(choice: dict[str, Value]) -> None:
    """Check weights, backend and device without loading the model.

    Weights that are not here are fetched and converted. Raises `WeightsError`, `DeviceError`,
    `MissingExtraError`, `OutputError`.
    """
    from dsflash_ros.pipeline.backends.choosing import check_backend
    from dsflash_ros.weights.loading import open_weights

    opened = open_weights(choice["weights"], vocabulary_of(choice))
    names = ("device", "precision", "compile")
    check_backend(choice["backend"], opened, *(choice[name] for name in names))


def load_pipeline(choice: dict[str, Value]):
    """The `SceneGraphPipeline` for these parameters. Raises `WeightsError`, `DeviceError`."""
    return pipeline_of(choice)
