"""Numbers in pages, and in benchmarks/results."""

import json
import re

from places import ROOT


def result(name):
    return json.loads((ROOT / f"benchmarks/results/{name}.json").read_text())


def shows(printed, value):
    """Whether a number is printed as it is, rounded to what is printed of it."""
    number = re.match(r"[+-]?\d+(\.(\d+))?", printed)
    half_unit = 0.5 * 10 ** -len(number[2] or "")
    return abs(float(number[0]) - value) <= half_unit + 1e-9


def assert_row(cells, values):
    assert len(cells) == len(values)
    assert all(map(shows, cells, values)), f"{cells} are not {values}"


def frame_times(name, size):
    rows = result(f"cpu_2_cores_{name}")["rows"]
    return {row["stage"]: row["median ms"] for row in rows if row["size"] == size}
