import json
import os
import subprocess
import sys
from itertools import islice

import cv2
import numpy as np
import pytest

from dsflash_ros.bench import frame
from dsflash_ros.bench.results import spread, store
from dsflash_ros.errors import OutputError, SourceError
from dsflash_ros.graph.scene_graph import NOTHING, SceneGraph
from dsflash_ros.machine import machine
from dsflash_ros.text_tables import show


def bench(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "dsflash_ros.cli", "bench", *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )


def test_spread():
    assert spread(range(101)) == {
        "median ms": 50.0,
        "p90 ms": 90.0,
        "p99 ms": 99.0,
        "max ms": 100.0,
    }


def test_table(capsys):
    show("a title", [{"what": "slow", "ms": 12.5}, {"what": "fast", "ms": 0.5}])
    assert capsys.readouterr().out.splitlines()[3:] == [
        "| what |    ms |",
        "|-----:|------:|",
        "| slow | 12.50 |",
        "| fast |  0.50 |",
    ]


def test_store_and_machine(tmp_path):
    path = tmp_path / "results" / "here.json"
    store(path, "frame", {"repeat": 3}, [{"ms": 1.0}], machine())
    stored = json.loads(path.read_text())
    assert (stored["benchmark"], stored["settings"], stored["rows"]) == (
        "frame",
        {"repeat": 3},
        [{"ms": 1.0}],
    )
    assert (
        stored["machine"]["cores"] >= 1 and stored["machine"]["cpu"] and stored["machine"]["numpy"]
    )
    with pytest.raises(OutputError, match="cannot write"):
        store(path / "below_a_file.json", "frame", {}, [], {})


def test_frame_leaves_the_warm_up_out():
    latencies = iter([500.0, 400.0, 300.0, 1.0, 2.0, 3.0])
    sizes = []

    def pipeline(rgb):
        sizes.append(rgb.shape)
        return SceneGraph(
            (), (), np.full((2, 2), NOTHING, np.int32), latency_ms={"total": next(latencies)}
        )

    rows = frame.measure(pipeline, frame.noise(64, 48), repeat=3)
    assert [(row["stage"], row["median ms"], row["max ms"]) for row in rows] == [
        ("total", 2.0, 3.0)
    ]
    assert set(sizes) == {(48, 64, 3)}


def test_frames_of_a_source_come_over_and_over(tmp_path):
    shades = (10, 200)
    for shade in shades:
        cv2.imwrite(str(tmp_path / f"{shade:03}.png"), np.full((48, 64, 3), shade, np.uint8))
    seen = list(islice(frame.frames_of(str(tmp_path)), 5))
    assert [image[0, 0, 0] for image in seen] == [10, 200, 10, 200, 10] and seen[0].shape == (
        48,
        64,
        3,
    )
    assert next(frame.frames_of(str(tmp_path), (32, 16))).shape == (16, 32, 3)
    with pytest.raises(SourceError):
        next(frame.frames_of(str(tmp_path / "nothing")))


def test_conversions_from_the_command_line():
    pytest.importorskip("dsflash_ros.msg", reason="needs rclpy and the generated messages")
    result = bench("conversions", "--size", "64x48", "--repeat", "2")
    assert result.returncode == 0, result.stderr
    assert "bgr8 to array" in result.stdout and "panoptic to 32SC1" in result.stdout


@pytest.mark.parametrize(
    ("load", "column"), [((), "max ms"), (("--rate", "20", "--duration", "3"), "memory MiB/min")]
)
def test_node_from_the_command_line(tmp_path, load, column):
    pytest.importorskip("dsflash_ros.msg", reason="needs rclpy and the generated messages")
    path = tmp_path / "node.json"
    result = bench("node", "--size", "64x48", "--repeat", "3", *load, "--json", str(path))
    assert result.returncode == 0, result.stderr
    (row,) = json.loads(path.read_text())["rows"]
    assert row["size"] == "64x48" and row["graphs"] >= 3 and column in row


def test_wrong_use():
    assert bench("nothing").returncode == 2
    assert "'64' is no size such as 640x480" in bench("node", "--size", "64").stderr
    result = bench("frame", "--weights", "/no/such", "--size", "64x48")
    assert (
        result.returncode == 1 and "/no/such" in result.stderr and "Traceback" not in result.stderr
    )
