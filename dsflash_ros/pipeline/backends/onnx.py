"""Running an exported model with ONNX Runtime: on the CPU, with CUDA, or with TensorRT."""

from pathlib import Path

import numpy as np

from dsflash_ros.errors import DeviceError, WeightsError, first_line
from dsflash_ros.pipeline.backends.exported_backend import ExportedBackend
from dsflash_ros.pipeline.backends.exported_device import graph_threads, split_device
from dsflash_ros.weights.exported import ExportedModel
from dsflash_ros.weights.loading import OpenedWeights

PROVIDERS = {
    ("onnx", "cpu"): "CPUExecutionProvider",
    ("onnx", "cuda"): "CUDAExecutionProvider",
    ("tensorrt", "cuda"): "TensorrtExecutionProvider",
}
"""ONNX Runtime's names, by backend and kind of device."""


class OnnxBackend(ExportedBackend):
    """See `Backend`."""

    def __init__(self, model: ExportedModel, name: str, device: str, threads: int) -> None:
        """Load the graphs. `name` is `onnx` or `tensorrt`, `device` one that `check_onnx` gave.

        Raises `WeightsError` when ONNX Runtime cannot read a file.
        """
        super().__init__(model)
        self.name, self.device = name, device
        self.precision = "int8" if model.is_int8 else "float32"
        self._sessions = {
            part: _session(path, name, device, threads) for part, path in model.files.items()
        }
        model.check_outputs(
            {
                part: [output.shape for output in session.get_outputs()]
                for part, session in self._sessions.items()
            }
        )

    def compute(self, part: str, inputs: dict[str, np.ndarray]) -> list[np.ndarray]:
        session = self._sessions[part]
        wanted = {entry.name for entry in session.get_inputs()}
        return session.run(None, {name: inputs[name] for name in wanted})


def check_onnx(name: str, device: str, precision: str) -> str:
    """The device that `onnx` or `tensorrt` computes on, `cpu`, `cuda` or `cuda:N`.

    Raises:
        DeviceError: ONNX Runtime lacks the provider, or the precision is another.
        ImportError: it is not installed.
    """
    import onnxruntime

    if precision not in ("auto", "float32"):
        other = ", or use the backend openvino" if precision == "bfloat16" else ""
        raise DeviceError(
            f"the backend {name} computes in float32, not {precision}: leave precision at auto"
            f"{other}"
        )
    here = onnxruntime.get_available_providers()
    if device == "auto":
        wanted = [PROVIDERS.get((name, kind)) for kind in ("cuda", "cpu")]
        device = "cuda" if wanted[0] in here or wanted[1] is None else "cpu"
    kind, _ = split_device(device)
    provider = PROVIDERS.get((name, kind))
    if provider is None:
        raise DeviceError(f"the backend {name} runs on cuda, not on {device}: use the backend onnx")
    if provider not in here:
        nearest = "the backend onnx with device cpu is here"
        raise DeviceError(
            f"this ONNX Runtime lacks {provider}, which the backend {name} needs on {kind} "
            f"(it has {', '.join(here)}): install onnxruntime-gpu, or use what works: {nearest}"
        )
    return device


def make_onnx(
    opened: OpenedWeights, name: str, device: str, precision: str, threads: int
) -> OnnxBackend:
    """Load an exported model for `onnx` or `tensorrt`.

    Raises `WeightsError`, `DeviceError`, `ImportError`.
    """
    return OnnxBackend(opened.exported, name, check_onnx(name, device, precision), threads)


def _session(path: Path, name: str, device: str, threads: int):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = graph_threads(threads)
    # Two sessions share the cores: threads of the one that waits would keep them from the other.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        return onnxruntime.InferenceSession(path, options, providers=_providers(name, device, path))
    except Exception as error:  # its errors have no common base
        raise WeightsError(
            f"ONNX Runtime cannot load {path}: {first_line(error)}; export the model again"
        ) from error


def _providers(name: str, device: str, path: Path) -> list[tuple[str, dict]]:
    """The provider that was asked for, and those that take what it cannot compute."""
    kind, index = split_device(device)
    chain = [(PROVIDERS["onnx", "cpu"], {})]
    if kind == "cuda":
        chain.insert(0, (PROVIDERS["onnx", "cuda"], {"device_id": index}))
    if name == "tensorrt":
        # engines take minutes to build; beside the files they serve all later starts
        cache = {"trt_engine_cache_enable": True, "trt_engine_cache_path": str(path.parent)}
        chain.insert(0, (PROVIDERS["tensorrt", "cuda"], {"device_id": index, **cache}))
    return chain
