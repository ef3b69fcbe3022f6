"""Which backend runs which weights. Imports neither PyTorch nor what runs exported models."""

from dsflash_ros.errors import DeviceError, MissingExtraError, missing_torch
from dsflash_ros.pipeline.backends.base import Backend
from dsflash_ros.pipeline.options import MODEL_OPTIONS
from dsflash_ros.weights.loading import OpenedWeights

OF_EXPORTED = {"onnx": "runtime", "openvino": "openvino", "tensorrt": "runtime"}
"""The backends that run exported models, and the extra that installs each."""

_OPTIONS = {option.name: option for option in MODEL_OPTIONS}

CHOSEN_ALONE = ("onnx", "openvino")
"""What `auto` takes for an exported model, see `_chosen`."""


def make_backend(
    name: str,
    opened: OpenedWeights,
    device: str = "auto",
    precision: str = "auto",
    compile: bool = False,
    threads: int = 0,
) -> Backend:
    """Load a model into the backend of that name.

    Raises:
        WeightsError: the weights are damaged.
        DeviceError: the backend does not run these weights, or lacks the device or precision.
        MissingExtraError: it is not installed.
        OptionError: `threads` is no number of threads.
    """
    threads = _OPTIONS["threads"].check(threads)
    name = check_backend(name, opened, device, precision, compile)
    if name == "torch":
        from dsflash_ros.pipeline.backends.torch import make_torch

        return make_torch(opened, device, precision, compile, threads)
    if name == "openvino":
        from dsflash_ros.pipeline.backends.openvino import make_openvino

        return make_openvino(opened, device, precision, threads)
    from dsflash_ros.pipeline.backends.onnx import make_onnx

    return make_onnx(opened, name, device, precision, threads)


def check_backend(
    name: str, opened: OpenedWeights, device: str, precision: str, compile: bool = False
) -> str:
    """The name of the backend, which `auto` chooses; raises what `make_backend` does.

    Loads nothing.
    """
    names = _OPTIONS["backend"].choices
    if name not in names:
        raise DeviceError(f"unknown backend {name!r}; it must be one of {', '.join(names)}")
    if opened.exported is None:
        if name not in ("auto", "torch"):
            raise DeviceError(
                f"the backend {name} runs exported models, and the weights {opened.name!r} are a "
                f"checkpoint: use the backend torch, or `dsflash export onnx {opened.name} --out "
                "FOLDER` and give FOLDER as weights"
            )
        try:
            from dsflash_ros.pipeline.backends.torch import check_torch
        except ImportError as error:
            raise missing_torch(error, opened.name) from error
        check_torch(device, precision)
        return "torch"
    if name == "torch":
        raise DeviceError(
            f"the weights {opened.name!r} are exported, which the backend torch does not run: use "
            f"{' or '.join(CHOSEN_ALONE)}, or give the checkpoint they were made from"
        )
    if compile:
        raise DeviceError("compile is for the backend torch: exported models are compiled already")
    if name != "auto":
        _check_exported(name, device, precision)
        return name
    return _chosen(device, precision)


def _chosen(device: str, precision: str) -> str:
    """The first that works of ONNX Runtime on a GPU, OpenVINO, and ONNX Runtime.

    On processors OpenVINO was the faster one, see docs/performance.md.
    """
    problems: dict[str, DeviceError | MissingExtraError] = {}
    for candidate in CHOSEN_ALONE if _has_gpu(device) else reversed(CHOSEN_ALONE):
        try:
            _check_exported(candidate, device, precision)
            return candidate
        except (DeviceError, MissingExtraError) as error:
            problems[candidate] = error
    installed = [error for error in problems.values() if isinstance(error, DeviceError)]
    raise installed[0] if installed else problems[CHOSEN_ALONE[0]]


def _has_gpu(device: str) -> bool:
    """Whether ONNX Runtime is installed and could use one."""
    try:
        from dsflash_ros.pipeline.backends.onnx import check_onnx

        return device != "cpu" and check_onnx("onnx", device, "auto") != "cpu"
    except (ImportError, DeviceError):
        return False


def _check_exported(name: str, device: str, precision: str) -> None:
    try:
        if name == "openvino":
            from dsflash_ros.pipeline.backends.openvino import check_openvino

            check_openvino(device, precision)
        else:
            from dsflash_ros.pipeline.backends.onnx import check_onnx

            check_onnx(name, device, precision)
    except ImportError as error:
        others = [other for other in CHOSEN_ALONE if other != name and _is_here(other)]
        nearest = f"; the backend {others[0]} is here" if others else ""
        raise MissingExtraError(
            f"the backend {name} needs {error.name}, which is not installed: "
            f"pip install 'dsflash_ros[{OF_EXPORTED[name]}]'{nearest}"
        ) from error


def _is_here(name: str) -> bool:
    from importlib.util import find_spec

    return find_spec({"onnx": "onnxruntime", "openvino": "openvino"}[name]) is not None
