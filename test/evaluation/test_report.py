"""Reports on the disk and as text."""

import json
from dataclasses import asdict

import pytest
from places import ROOT
from reports import report

from dsflash_ros.errors import EvaluationError
from dsflash_ros.evaluation.report import Report
from dsflash_ros.evaluation.report_text import report_text


def test_results_survive_the_disk(tmp_path):
    path = tmp_path / "r.json"
    report().write(path)
    assert asdict(Report.read(path)) == asdict(report())


@pytest.mark.parametrize(
    ("part", "value", "says"),
    [
        ("relations", {}, "'relations' lacks 'images'"),
        ("relations", None, "'relations' has the wrong type: None"),
        ("dataset", {}, "'dataset' lacks 'name'"),
        ("speed", {"latency_ms": 3.0}, "'speed' lacks 'relations_per_second'"),
        ("speed", [], "'speed' has the wrong type"),
        ("weights", {"name": "w", "trained": None}, "'trained' has the wrong type: None"),
        ("model", {"size": "base"}, "'model' lacks 'backbone'"),
    ],
)
def test_results_with_holes(tmp_path, part, value, says):
    path = tmp_path / "r.json"
    path.write_text(json.dumps({"format": "dsflash-eval-1", **asdict(report()), part: value}))
    with pytest.raises(
        EvaluationError,
        match=rf"r\.json is not a result of `dsflash eval --json`: {says}",
    ):
        Report.read(path)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("", "it is not JSON"),
        ("\udcff", "it is not JSON"),
        ("[" * 100_000, "maximum recursion depth"),
        ("[]", r"it has the wrong type: \[\]"),
        ("{}", "it lacks 'format'"),
        ('{"format": "dsflash-eval-1"}', "it lacks 'dataset'"),
    ],
)
def test_other_files_are_no_results(tmp_path, content, says):
    path = tmp_path / "r.json"
    path.write_bytes(content.encode(errors="surrogateescape"))
    with pytest.raises(EvaluationError, match=rf"not a result of `dsflash eval --json`: {says}"):
        Report.read(path)


def test_results_of_another_version(tmp_path):
    path = tmp_path / "r.json"
    path.write_text(json.dumps({"format": "dsflash-eval-9", **asdict(report())}))
    with pytest.raises(EvaluationError, match="its format is not dsflash-eval-1"):
        Report.read(path)
    path.write_text(json.dumps({"format": "dsflash-eval-1", **asdict(report()), "more": 1}))
    with pytest.raises(EvaluationError, match="unexpected keyword argument 'more'"):
        Report.read(path)


def test_files_that_cannot_be_read(tmp_path):
    with pytest.raises(EvaluationError, match=r"cannot read .*missing\.json: No such file"):
        Report.read(tmp_path / "missing.json")
    with pytest.raises(EvaluationError, match=r"cannot read .*: Is a directory"):
        Report.read(tmp_path)


def lines_of(report):
    """The lines of its text, with single spaces."""
    return [" ".join(line.split()) for line in report_text(report).splitlines()]


def test_text_of_a_whole_result():
    lines = lines_of(Report.read(ROOT / "benchmarks/results/toyroom_sgdet.json"))
    assert lines[0].startswith("data set: ") and lines[0].endswith("without relations")
    assert lines[1].startswith("weights: ") and lines[2].startswith("machine: ")
    order = [
        "sgdet: recall of relations, %",
        "| | @20 | @50 | @100 | @inf |",
        "panoptic quality, %",
        "classes, %",
        "| class | segments | PQ | SQ | RQ |",
        "predicates, recall in %",
        "relations by their score, %",
        "| relation_threshold | relations an image | precision | recall |",
    ]
    assert [lines.index(line) for line in order] == sorted(lines.index(line) for line in order)


def test_numbers_of_a_result_in_its_text():
    mine = report()
    recall = {"R@20": 0.5, "R@50": 0.625, "R@100": 1.0}
    often, never = ({"relations": n, "images": n, "R@50": 0.25, "R@inf": None} for n in (7, 0))
    mine.relations.update(
        recall, instance_recall=0.125, per_predicate={"on": never, "in": often, "by": never}
    )
    lines = lines_of(mine)
    assert lines[0] == "data set: psg/psg.json, split test: 2186 images; 9 without relations"
    assert lines[1] == "weights: w.safetensors; base dinov3 at 640"
    assert "| R | 50.00 | 62.50 | 100.00 | - |" in lines
    assert "| mR | 11.11 | 22.22 | 33.33 | 44.44 |" in lines
    assert "instance recall 12.50 %" in lines
    assert "| in | 7 | 7 | 25.00 | - |" in lines
    assert "2 predicates never occur and are left out of the mean" in lines
    assert lines[-1].startswith("latency 12.34 ms") and "98,765 relations a second" in lines[-1]
