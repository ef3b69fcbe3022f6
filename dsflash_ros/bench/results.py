"""Tables of measurements, and the machine that they were made on."""

import json
from pathlib import Path

import numpy as np

from dsflash_ros.files import write_whole
from dsflash_ros.text_tables import Row


def spread(values_ms, prefix: str = "") -> Row:
    """Median, 90th and 99th percentile and maximum of some milliseconds."""
    median, p90, p99, highest = np.percentile(np.asarray(values_ms, float), [50, 90, 99, 100])
    row = {"median": median, "p90": p90, "p99": p99, "max": highest}
    return {f"{prefix}{name} ms": round(float(value), 3) for name, value in row.items()}


def store(
    path: Path, benchmark: str, settings: dict, rows: list[Row], on: dict[str, str | int]
) -> None:
    """Write a measurement as JSON, whole or not at all, in place of what is there.

    Raises `OutputError` when that is not possible.
    """
    result = {"benchmark": benchmark, "machine": on, "settings": settings, "rows": rows}
    write_whole(path, json.dumps(result, indent=2) + "\n")
