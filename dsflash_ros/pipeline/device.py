"""Choosing where, in which precision and with how many threads the model runs."""

import os

import torch

from dsflash_ros.errors import DeviceError
from dsflash_ros.machine import has_bfloat16
from dsflash_ros.threads import usable_cores

PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}

_THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS")


def choose_device(name: str) -> torch.device:
    """`auto` (the first GPU if there is one, else the CPU), `cpu`, `cuda` or `cuda:N`.

    Raises `DeviceError`.
    """
    gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if name == "auto":
        name = "cuda" if gpus else "cpu"
    try:
        device = torch.device(name)
    except RuntimeError:
        device = None
    if device is None or device.type not in ("cpu", "cuda"):
        raise DeviceError(f"unknown device {name!r}; it must be auto, cpu, cuda or cuda:N")
    if device.type == "cuda" and (device.index or 0) >= gpus:
        found = f"{gpus} GPU(s)" if gpus else "no CUDA GPU"
        raise DeviceError(
            f"device {name!r} was asked for, but PyTorch finds {found}; "
            "use 'auto' or 'cpu', or check the driver"
        )
    return device


def choose_precision(name: str, device: torch.device) -> torch.dtype:
    """`auto`, or a name in `PRECISIONS`. Raises `DeviceError`.

    `auto` is bfloat16 on processors and GPUs that have it in hardware, float16 on Turing and Volta,
    else float32.
    """
    if name == "auto":
        if device.type == "cpu":
            return torch.bfloat16 if has_bfloat16() else torch.float32
        major, _ = torch.cuda.get_device_capability(device)
        if major >= 8:
            return torch.bfloat16
        return torch.float16 if major >= 7 else torch.float32
    if name not in PRECISIONS:
        raise DeviceError(f"unknown precision {name!r}; it must be auto, {', '.join(PRECISIONS)}")
    return PRECISIONS[name]


def use_threads(wanted: int) -> None:
    """Have PyTorch compute with so many threads, in the whole process; 0: as many as it may use.

    PyTorch itself goes by the cores and their affinity, not by a container's CPU quota. Threads
    beyond the quota only take time away from those that they wait for. What the user set, in the
    environment or with `torch.set_num_threads`, is not exceeded.
    """
    global _before, _set
    now = torch.get_num_threads()
    own = _before if now == _set else now  # what PyTorch has by itself
    count = wanted or own
    if not wanted and not any(os.environ.get(name) for name in _THREAD_VARIABLES):
        count = min(own, usable_cores())
    if count != now:
        torch.set_num_threads(count)
    _before, _set = own, count


_before = _set = 0
"""The number of threads before and after the last call of `use_threads`."""
