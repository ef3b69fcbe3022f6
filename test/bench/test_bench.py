import json
import os
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

pytestmark = pytest.mark.slow


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


def test_what_was_stored_stays_until_the_new_is_whole(tmp_path, monkeypatch):
    path = tmp_path / "here.json"
    store(path, "frame", {"repeat": 3}, [], {})
    before = path.read_text()
    with monkeypatch.context() as patched:
        patched.setattr("os.replace", lambda *_: (_ for _ in ()).throw(OSError("a power cut")))
        with pytest.raises(OutputError, match="a power cut"):
            store(path, "frame", {"repeat": 4}, [], {})
    assert path.read_text() == before and list(tmp_path.iterdir()) == [path]
    store(path, "frame", {"repeat": 4}, [], {})
    assert json.loads(path.read_text())["settings"] == {"repeat": 4}


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


def test_conversions_from_the_command_line(bench):
    pytest.importorskip("dsflash_ros.msg", reason="needs rclpy and the generated messages")
    code, out, err = bench("conversions", "--size", "64x48", "--repeat", "2")
    assert code == 0, err
    assert "bgr8 to array" in out and "panoptic to 32SC1" in out


@pytest.fixture
def ros_domain(monkeypatch):
    """`dsflash bench node` takes a ROS domain of its own. Afterwards all is as before."""
    pytest.importorskip("dsflash_ros.msg", reason="needs rclpy and the generated messages")
    for name in ("ROS_DOMAIN_ID", "ROS_AUTOMATIC_DISCOVERY_RANGE"):
        monkeypatch.setenv(name, os.environ.get(name, ""))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")


@pytest.mark.parametrize(
    ("load", "column"),
    [
        (("--repeat", "3"), "max ms"),
        (("--rate", "20", "--duration", "3"), "memory MiB/min"),
    ],
)
def test_node_from_the_command_line(bench, ros_domain, monkeypatch, tmp_path, load, column):
    from dsflash_ros.bench import node

    monkeypatch.setattr(node, "WARM_UP_S", 0.5)
    path = tmp_path / "node.json"
    code, _, err = bench("node", "--size", "64x48", *load, "--json", path)
    assert code == 0, err
    (row,) = json.loads(path.read_text())["rows"]
    assert row["size"] == "64x48" and row["graphs"] >= 3 and column in row


def test_wrong_use(bench):
    assert bench("nothing")[0] == 2
    for size in ("64", "100000x100000", "1x1"):
        told = bench("node", "--size", size)[2]
        assert f"'{size}' is no size such as 640x480, from 16x16 to 8192x8192" in told
    told = bench("loader", "toy", "--workers", 300)[2]
    assert "'300' is no whole number from 0 to 256" in told and len(told.splitlines()[-1]) < 100
    assert "'A' is no NAME=VALUE" in bench("load", "--environment", "A")[2]
    code, _, err = bench("frame", "--weights", "/no/such", "--size", "64x48")
    assert code == 1 and "/no/such" in err and "Traceback" not in err
