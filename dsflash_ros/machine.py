"""The machine that this runs on."""

import os
import platform
from importlib import metadata
from pathlib import Path

from dsflash_ros.threads import usable_cores

PACKAGES = (
    "dsflash_ros",
    "torch",
    "onnxruntime",
    "openvino",
    "numpy",
    "opencv-python-headless",
    "opencv-python",
    "rclpy",
)
"""Those whose versions matter, where they are installed."""

_CPU_INFO = Path("/proc/cpuinfo")
_BFLOAT16_FLAGS = {"avx512_bf16", "amx_bf16", "bf16"}
"""Of x86 and ARM processors that multiply in bfloat16."""


def machine() -> dict[str, str | int]:
    """CPU, cores, GPU and versions."""
    found: dict[str, str | int] = {
        "cpu": _cpu_name(),
        "cores": usable_cores(),
        "load at start": f"{os.getloadavg()[0]:.1f}",
        "gpu": "none",
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
    }
    for package in PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    try:
        import torch
    except ImportError:
        return found
    if torch.cuda.is_available():
        found["gpu"] = torch.cuda.get_device_name()
    return found


def has_bfloat16() -> bool:
    """Whether the processor multiplies matrices in bfloat16, as Linux tells; else False."""
    lists = _cpu_info("flags") or _cpu_info("Features")
    return bool(lists and _BFLOAT16_FLAGS.intersection(lists[0].split()))


def _cpu_name() -> str:
    names = _cpu_info("model name")
    return names[0] if names else platform.processor() or platform.machine()


def _cpu_info(name: str) -> list[str]:
    """What Linux says under this name, for each core; nothing where it does not."""
    try:
        lines = _CPU_INFO.read_text().splitlines()
    except OSError:
        return []
    pairs = [line.split(":", 1) for line in lines if ":" in line]
    return [value.strip() for key, value in pairs if key.strip() == name]
