"""The numbers of the performance page are those of benchmarks/results."""

import re
from statistics import median

from pages import read_page
from places import ROOT
from results_told import assert_row, frame_times, result, shows

PERFORMANCE = read_page(ROOT / "docs/performance.md")

FRAMES = {
    "`toyroom`": ("frame_toyroom", "640x480"),
    "the same with `--precision bfloat16`": ("frame_toyroom_bfloat16", "640x480"),
    "`random` (tiny": ("frame", "640x480"),
    "`random`, 1920x1080": ("frame", "1920x1080"),
    "`random-small`": ("frame_small", "640x480"),
}


WAITING = ("GOMP_SPINCOUNT=300000", "GOMP_SPINCOUNT=1000", "OMP_WAIT_POLICY=passive")


def test_latencies_of_a_frame():
    header, *rows = PERFORMANCE.table("A frame")
    assert len(rows) == len(FRAMES)
    for (start, (name, size)), row in zip(FRAMES.items(), rows, strict=True):
        assert row[0].startswith(start)
        times = frame_times(name, size)
        assert_row(row[1:], [times[stage] for stage in header[1:]])


def test_times_of_backends():
    header, *rows = PERFORMANCE.table("Precision and backends")
    found = result("cpu_2_cores_backends")["rows"]
    for row, one in zip(rows, found, strict=True):
        assert row[0] == f"`{one['variant']}`"
        names = ["ratio" if name == "of `torch`" else name for name in header[1:]]
        assert_row(row[1:], [float(one[name]) for name in names])


def test_times_in_int8():
    header, *rows = PERFORMANCE.table("Precision and backends", number=1)
    weights = ""
    for row, one in zip(rows, result("cpu_2_cores_int8")["rows"], strict=True):
        weights = row[0] or weights
        assert (weights, row[1]) == (f"`{one['weights']}`", f"`{one['variant']}`")
        names = ["ratio" if name == "of `torch`" else name for name in header[2:]]
        assert_row(row[2:], [float(one[name]) for name in names])


def test_scores_in_int8():
    told = " ".join(read_page(ROOT / "docs/export.md").lines)
    found = re.search(r"mR@50 (\S+) % \((\S+) in float32\), PQ (\S+) % \((\S+)\)", told)
    reports = result("toyroom_sgdet_int8"), result("toyroom_sgdet")
    scores = [
        100 * report[group][key]
        for group, key in (("relations", "mR@50"), ("panoptic", "PQ"))
        for report in reports
    ]
    assert_row(list(found.groups()), scores)
    assert reports[0]["options"]["precision"] == "int8"


def test_scores_in_bfloat16():
    told = " ".join(PERFORMANCE.lines)
    pattern = r"PredCls mR@50 (\S+) and (\S+), SGDet mR@50 (\S+) and (\S+), PQ (\S+) and (\S+)\)"
    expected = [
        100 * result(f"toyroom_{protocol}{precision}")[group][key]
        for protocol, group, key in (
            ("predcls", "relations", "mR@50"),
            ("sgdet", "relations", "mR@50"),
            ("sgdet", "panoptic", "PQ"),
        )
        for precision in ("_bfloat16", "")
    ]
    assert_row(list(re.search(pattern, told).groups()), expected)
    openvino = result("toyroom_sgdet_openvino")
    found = re.search(r"OpenVINO in bfloat16, SGDet mR@50 is (\S+) and PQ (\d+\.\d)", told)
    scores = openvino["relations"]["mR@50"], openvino["panoptic"]["PQ"]
    assert_row(list(found.groups()), [100 * score for score in scores])
    options = openvino["options"]
    assert (options["backend"], options["precision"]) == ("openvino", "bfloat16")


def test_times_of_what_follows_the_segmenter():
    _, *rows = PERFORMANCE.table("Precision and backends", number=2)
    found = result("cpu_2_cores_array_steps")["rows"]
    for row, tensors, arrays in zip(rows, found[::2], found[1::2], strict=True):
        assert int(row[0]) == int(tensors["queries"])
        assert_row(
            row[1:], [float(tensors["total"]), float(arrays["total"]), float(arrays["ratio"])]
        )


def test_times_of_tracking():
    _, *rows = PERFORMANCE.table("Tracking and replay")
    found = result("cpu_2_cores_tracking")["rows"]
    for row, one in zip(rows, found, strict=True):
        assert row[0] == one["positions"] and one["nodes"] == 16
        assert_row(row[1:], [one[name] for name in ("median ms", "p90 ms", "p99 ms")])


def test_time_of_a_replay():
    (_, replay) = result("cpu_2_cores_replay")["rows"]
    told = re.search(r"replay` takes (\d+) % more.*?(\d+) images", " ".join(PERFORMANCE.lines))
    assert int(told[1]) == round(100 * (replay["of alone"] - 1))
    assert int(told[2]) == replay["images"]


def test_how_costs_grow():
    _, *rows = PERFORMANCE.table("How costs grow")
    found = {(r["sweep"], str(r["value"])): r for r in result("cpu_2_cores_scaling")["rows"]}
    sweep = ""
    for told, value, ms, floor in rows:
        sweep = told.partition(":")[0] or sweep
        row = found[sweep, value]
        assert_row([ms], [row["median ms"]])
        assert shows(floor, float(row["floor ms"])) if floor else row["floor ms"] == "-"
    text = " ".join(PERFORMANCE.lines)
    ratio = found["segments", "100"]["median ms"] / found["segments", "10"]["median ms"]
    assert re.search(r"100 segments have (\d+) times .* take (\d+) times", text).groups() == (
        str(round(4950 / 45)),
        str(round(ratio)),
    )


def test_latencies_of_the_node():
    _, *rows = PERFORMANCE.table("The node's own cost")
    names = ("median ms", "p90 ms", "p99 ms", "max ms")
    own = result("cpu_2_cores_node")["rows"]
    for row, found in zip(rows[:2], own, strict=True):
        assert found["size"] in row[0]
        assert_row(row[1:], [found[name] for name in names])
    (load,) = result("cpu_2_cores_node_30hz")["rows"]
    assert_row(rows[2][1:], [load[f"beyond it {name}"] for name in names])
    text = " ".join(PERFORMANCE.lines)
    told = re.search(r"(\d+) graphs came of (\d+) frames.*stayed at (\d+) to (\d+) MiB", text)
    keys = ("graphs", "frames received", "memory MiB", "memory max MiB")
    assert [int(number) for number in told.groups()] == [load[key] for key in keys]


def test_questions_to_graphs():
    _, *rows = PERFORMANCE.table("Questions to graphs")
    found = result("cpu_2_cores_answers")["rows"]
    for row, one in zip(rows, found, strict=True):
        assert row[0] == f"{one['what']}: {one['of']}"
        assert_row(row[1:], [one[name] for name in ("median ms", "p90 ms", "p99 ms")])


def test_frames_beside_other_programs():
    _, *rows = PERFORMANCE.table("Beside other programs")
    found = result("cpu_2_cores_load")["rows"]
    for row, waiting in zip(rows, ("", *WAITING), strict=True):
        mine = [r for r in found if r["pipeline"] == waiting]
        (idle,) = (r["frames/s"] for r in mine if r["beside"] == "idle")
        slower = [r["times slower than that"] for r in mine if r["beside"] != "idle"]
        assert len(slower) == 16
        assert_row(row[1:], [idle, median(slower), max(slower)])


def test_latencies_of_conversions():
    header, row = PERFORMANCE.table("Conversions")
    found = {
        r["conversion"]: r["median ms"]
        for r in result("cpu_2_cores_conversions")["rows"]
        if r["size"] == "1920x1080"
    }
    names = {"bayer": "bayer_rggb8 to array"}
    keys = [names.get(t, t if " to " in t else f"{t} to array") for t in header[1:]]
    assert_row(row[1:], [found[key] for key in keys])


def test_times_of_a_training_step():
    rows = PERFORMANCE.table("A training step")[1:]
    found = result("cpu_2_cores_relation_step")["rows"]
    for row, step in zip(rows, found, strict=True):
        assert_row(row[1:], [step[key] for key in ("s", "pairs/s", "time / ours")])
