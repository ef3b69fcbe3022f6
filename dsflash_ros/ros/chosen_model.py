"""The model that the parameters ask for.

Importing the pipeline takes seconds, so it waits until one is wanted.
"""

from dsflash_ros.pipeline.choice import pipeline_of, vocabulary_of
from dsflash_ros.ros.parameters import Value


def check_choice(choice: dict[str, Value]) -> None:
    """Check device and weights without loading them.

    Weights that are not here are fetched and converted. Raises `WeightsError`, `DeviceError`,
    `OutputError`.
    """
    from dsflash_ros.pipeline.device import choose_device, choose_precision
    from dsflash_ros.weights.loading import check_weights

    choose_precision(choice["precision"], choose_device(choice["device"]))
    check_weights(choice["weights"], vocabulary_of(choice))


def load_pipeline(choice: dict[str, Value]):
    """The `SceneGraphPipeline` for these parameters. Raises `WeightsError`, `DeviceError`."""
    return pipeline_of(choice)
