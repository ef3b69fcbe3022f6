"""Devices and threads of exported models, by the names that PyTorch has for them. No torch."""

import re

from dsflash_ros.errors import DeviceError
from dsflash_ros.threads import usable_cores


def split_device(name: str) -> tuple[str, int]:
    """`cpu`, `cuda` or `cuda:N` to its kind and number. Raises `DeviceError`."""
    match = re.fullmatch(r"(cpu|cuda)(?::(\d+))?", name)
    if match is None:
        raise DeviceError(f"unknown device {name!r}; it must be auto, cpu, cuda or cuda:N")
    return match[1], int(match[2] or 0)


def graph_threads(wanted: int) -> int:
    """With how many threads to compute; 0: as many as the process may use."""
    return wanted or usable_cores()
