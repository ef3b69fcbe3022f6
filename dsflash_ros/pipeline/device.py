"""Choosing where and in which precision the model runs."""

import torch

from dsflash_ros.errors import DeviceError

PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


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
            f"device {name!r} was asked for, but PyTorch finds {found}; use 'auto' or 'cpu', or check the driver"
        )
    return device


def choose_precision(name: str, device: torch.device) -> torch.dtype:
    """`auto` is bfloat16 on GPUs that have it in hardware, float16 on Turing and Volta, else
    float32.
    """
    if name == "auto":
        if device.type == "cpu":
            return torch.float32
        major, _ = torch.cuda.get_device_capability(device)
        return torch.bfloat16 if major >= 8 else torch.float16 if major >= 7 else torch.float32
    if name not in PRECISIONS:
        raise DeviceError(f"unknown precision {name!r}; it must be auto, {', '.join(PRECISIONS)}")
    return PRECISIONS[name]
