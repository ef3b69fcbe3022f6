"""The model that the parameters ask for.

Importing the pipeline takes seconds, so it waits until one is wanted.
"""

from dsflash_ros.graph.vocabulary import Vocabulary
from dsflash_ros.ros.parameters import OPTIONS, Value


def check_choice(choice: dict[str, Value]) -> None:
    """Check device and weights without loading them.

    Weights that are not here are fetched and converted. Raises `WeightsError`, `DeviceError`,
    `OutputError`.
    """
    from dsflash_ros.pipeline.device import choose_device, choose_precision
    from dsflash_ros.weights.loading import check_weights

    choose_precision(choice["precision"], choose_device(choice["device"]))
    check_weights(choice["weights"], _vocabulary(choice))


def load_pipeline(choice: dict[str, Value]):
    """The `SceneGraphPipeline` for these parameters. Raises `WeightsError`, `DeviceError`."""
    from dsflash_ros.pipeline.pipeline import Options, SceneGraphPipeline

    return SceneGraphPipeline.from_weights(
        choice["weights"],
        device=choice["device"],
        precision=choice["precision"],
        compile=choice["compile"],
        threads=choice["threads"],
        vocabulary=_vocabulary(choice),
        options=Options(**{name: choice[name] for name in OPTIONS}),
    )


def _vocabulary(choice: dict[str, Value]) -> Vocabulary | None:
    return Vocabulary.load(choice["vocabulary"]) if choice["vocabulary"] else None
