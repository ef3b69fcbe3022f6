"""`benchmarks/first_graph.py` with real processes."""

import json
import subprocess
import sys

import pytest
from places import ROOT

pytest.importorskip("dsflash_ros.msg", reason="needs rclpy and the generated messages")

pytestmark = pytest.mark.slow


def test_each_start_is_timed(tmp_path):
    script = [sys.executable, str(ROOT / "benchmarks" / "first_graph.py")]
    command = [*script, "random-tiny", "--repeat", "1", "--json", str(tmp_path / "found.json")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("random-tiny: ") == 2 and done.stderr.count("left out") == 1
    (row,) = json.loads((tmp_path / "found.json").read_text())["rows"]
    assert row["weights"] == "random-tiny"
    assert 0 < row["fastest s"] == row["median s"] == row["slowest s"] < 60
