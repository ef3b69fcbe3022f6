"""Player, node and planner as three processes: the whole way, by the example that shows it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import cv2
import pytest

pytest.importorskip("dsflash_ros.msg", reason="needs rclpy and the generated messages")

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


def demo(out, *arguments):
    return subprocess.run(
        [sys.executable, str(EXAMPLES / "demo.py"), "--out", str(out), *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )


def test_graphs_arrive_for_the_frames_played(tmp_path):
    result = demo(tmp_path)
    assert result.returncode == 0, result.stderr
    graphs = [json.loads(line) for line in (tmp_path / "scene_graph.jsonl").read_text().splitlines()]
    assert graphs and all(graph["nodes"] and graph["latency_ms"]["total"] > 0 for graph in graphs)
    assert len({graph["stamp"] for graph in graphs}) == len(graphs)
    assert f"{len(graphs)} graphs for 9 frames" in result.stdout
    assert "mean nothing" in result.stdout
    assert "[camera_optical_frame] a scene graph of" in result.stdout, "the planner said nothing"
    shapes = {cv2.imread(str(path)).shape for path in (EXAMPLES / "photos").glob("*.jpg")}
    assert cv2.imread(str(tmp_path / "overlay.png")).shape in shapes


@pytest.mark.parametrize(
    ("arguments", "culprit"),
    [(("/no/such.mp4",), "is not there"), (("--weights", "/no/such"), "the node ended with exit code 1")],
)
def test_failure_is_told(tmp_path, arguments, culprit):
    result = demo(tmp_path, *arguments)
    assert result.returncode == 1
    assert culprit in result.stderr and "/no/such" in result.stderr
    assert "Traceback" not in result.stderr
