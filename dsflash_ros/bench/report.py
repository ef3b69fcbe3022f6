"""Tables of measurements, and the machine that they were made on."""

import json
import os
import platform
from importlib import metadata
from pathlib import Path

import numpy as np

from dsflash_ros.errors import OutputError

Row = dict[str, str | int | float]


def spread(values_ms, prefix: str = "") -> Row:
    """Median, 90th and 99th percentile and maximum of some milliseconds."""
    median, p90, p99, highest = np.percentile(np.asarray(values_ms, float), [50, 90, 99, 100])
    row = {"median": median, "p90": p90, "p99": p99, "max": highest}
    return {f"{prefix}{name} ms": round(float(value), 3) for name, value in row.items()}


def machine() -> dict[str, str | int]:
    """CPU, cores, GPU and versions."""
    found: dict[str, str | int] = {
        "cpu": _cpu_name(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 0,
        "load at start": f"{os.getloadavg()[0]:.1f}",
        "gpu": "none",
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
    }
    for package in ("dsflash_ros", "torch", "numpy", "opencv-python-headless", "opencv-python", "rclpy"):
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


def show(title: str, rows: list[Row]) -> None:
    """Print rows as a table; all have the same keys."""
    print(f"\n{title}\n")
    cells = [list(rows[0]), *([f"{v:.2f}" if isinstance(v, float) else str(v) for v in row.values()] for row in rows)]
    widths = [max(len(cell) for cell in column) for column in zip(*cells, strict=True)]
    for number, line in enumerate(cells):
        print("| " + " | ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True)) + " |")
        if number == 0:
            print("|" + "|".join("-" * (width + 1) + ":" for width in widths) + "|")


def store(path: Path, benchmark: str, settings: dict, rows: list[Row], on: dict[str, str | int]) -> None:
    """Write a measurement as JSON. Raises `OutputError` when that is not possible."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        result = {"benchmark": benchmark, "machine": on, "settings": settings, "rows": rows}
        path.write_text(json.dumps(result, indent=2) + "\n")
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error}") from error


def _cpu_name() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
