"""Running an exported model with OpenVINO, on the CPU."""

from functools import cache
from pathlib import Path

import numpy as np

from dsflash_ros.errors import DeviceError, WeightsError, first_line
from dsflash_ros.pipeline.backends.exported_backend import ExportedBackend
from dsflash_ros.pipeline.backends.exported_device import graph_threads, split_device
from dsflash_ros.weights.exported import ExportedModel
from dsflash_ros.weights.loading import OpenedWeights

PRECISIONS = {"float32": "f32", "bfloat16": "bf16"}
"""OpenVINO's names."""


class OpenvinoBackend(ExportedBackend):
    """See `Backend`."""

    name, device = "openvino", "cpu"

    def __init__(self, model: ExportedModel, precision: str, threads: int) -> None:
        """Load the graphs, to compute in a precision that `check_openvino` gave.

        Raises `WeightsError` when OpenVINO cannot read a file.
        """
        super().__init__(model)
        self.precision = "int8" if model.is_int8 else precision
        self._graphs = {
            part: _compiled(path, precision, threads) for part, path in model.files.items()
        }
        model.check_outputs(
            {
                part: [list(output.partial_shape) for output in graph.outputs]
                for part, graph in self._graphs.items()
            }
        )

    def compute(self, part: str, inputs: dict[str, np.ndarray]) -> list[np.ndarray]:
        graph = self._graphs[part]
        given = {entry.any_name: inputs[entry.any_name] for entry in graph.inputs}
        return list(graph(given).to_tuple())


def check_openvino(device: str, precision: str) -> str:
    """The precision that the model will be computed in.

    Raises:
        DeviceError: it runs elsewhere, or the processor lacks the precision.
        ImportError: OpenVINO is not installed.
    """
    core = _core()
    able = core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    kind, _ = split_device("cpu" if device == "auto" else device)
    if kind != "cpu":
        raise DeviceError(
            f"the backend openvino runs on the CPU, not on {device}: use device cpu or auto, or "
            "the backend onnx"
        )
    if precision == "auto":
        return "bfloat16" if "BF16" in able else "float32"
    if precision not in PRECISIONS:
        raise DeviceError(
            f"the backend openvino computes in {' or '.join(PRECISIONS)}, not {precision}"
        )
    if precision == "bfloat16" and "BF16" not in able:
        raise DeviceError("this processor has no bfloat16: use precision float32 or auto")
    return precision


def make_openvino(
    opened: OpenedWeights, device: str, precision: str, threads: int
) -> OpenvinoBackend:
    """Load an exported model. Raises `WeightsError`, `DeviceError`, `ImportError`."""
    return OpenvinoBackend(opened.exported, check_openvino(device, precision), threads)


@cache
def _core():
    """OpenVINO itself, once in a process.

    It gives the thread a stack of its own for signal handlers (2026.4), and frees that stack with
    itself: the next signal would end the process.
    """
    import openvino

    return openvino.Core()


def _compiled(path: Path, precision: str, threads: int):
    settings = {
        "INFERENCE_PRECISION_HINT": PRECISIONS[precision],
        "INFERENCE_NUM_THREADS": graph_threads(threads),
        "PERFORMANCE_HINT": "LATENCY",
    }
    try:
        return _core().compile_model(path, "CPU", settings)
    except RuntimeError as error:
        raise WeightsError(
            f"OpenVINO cannot load {path}: {first_line(error)}; export the model again"
        ) from error
