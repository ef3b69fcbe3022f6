"""The machine that a measurement was made on."""

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


def _cpu_name() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
