"""`dsflash compare --report`, looked at in a browser."""

import json

import cv2
import numpy as np
import pytest

pytest.importorskip("jinja2", reason="needs the extra report")
pytest.importorskip("plotly", reason="needs the extra report")

from places import ROOT
from seen_pages import addresses, click_frame, is_narrow, panel, wrong_numbers

from dsflash_ros.cli import main

DRIVE = ROOT / "examples" / "drive"

pytestmark = pytest.mark.slow

EVIL = "<script>document.title='broken'</script><b>'\"&"


@pytest.fixture(scope="module")
def replays(tmp_path_factory):
    """Two replays of the drive, the page that compares them, and its JSON."""
    pytest.importorskip("dsflash_ros.msg", reason="needs rclpy and the generated messages")
    folder = tmp_path_factory.mktemp("replays")
    runs = []
    for name, changed in (("before", ()), ("after", ("--relation-threshold", "0.5"))):
        out = folder / name
        part = "--end", "6", "--stride", "3", "--no-originals", "--device", "cpu"
        assert main(["replay", str(DRIVE), "--out", str(out), *part, *changed]) == 0
        runs.append(str(out / "drive"))
    page, scores = folder / "page.html", folder / "scores.json"
    code = main(["compare", *runs, "--json", str(scores), "--report", str(page)])
    assert code in (0, 1)
    return page, scores


def test_the_numbers_are_those_of_the_comparison(replays, visit):
    page = visit(replays[0])
    assert wrong_numbers(page, replays[1]) == []
    assert page.title() == "before/drive and after/drive compared"
    assert page.locator(".verdict").count() == 2
    settings = page.locator("#summary details td").all_text_contents()
    assert settings == ["relation_threshold", "0.3", "0.5"]


def test_each_frame_is_that_of_the_series(replays, visit):
    page, series = visit(replays[0]), json.loads(replays[1].read_text())["series"]
    marks = page.evaluate("document.getElementById('timeline-plot').data[0].z[0]")
    losses = [None not in f["relations"] and f["relations"][0] - f["relations"][1] for f in series]
    assert marks == pytest.approx([-loss for loss in losses], abs=1e-4)
    for number in (0, 5, len(series) - 1):
        click_frame(page, number)
        frame = series[number]
        assert page.locator("#name").text_content() == f"frame {number}: {frame['stamp']:.3f} s"
        assert panel(page) == {
            "F1 of objects": frame["objects"],
            "F1 of relations": frame["relations"],
            "latency": frame["latency_ms"],
            "objects alike": [frame["same_objects"]],
            "relations alike": [frame["same_relations"]],
        }
        told = page.locator("#notes li").all_text_contents()
        assert told == frame["lost"] + frame["gained"]


def test_the_worst_frames_come_with_the_pictures_of_both(replays, visit):
    page, found = visit(replays[0]), json.loads(replays[1].read_text())
    heads = page.locator("article.worst h3").all_text_contents()
    assert heads == [f"{stamp:.3f} s" for stamp in found["worst"][:8]] and heads
    assert page.locator("article.worst img").count() == 2 * len(heads)
    assert page.locator("article.worst figcaption").all_text_contents()[:2] == ["before", "after"]
    sources = page.evaluate(
        "[...document.querySelectorAll('article.worst img')].slice(0, 2).map((one) => one.src)"
    )
    assert sources[0] != sources[1]
    assert "frames have pictures" in page.locator("#timeline .note").last.text_content()


def test_it_fits_a_phone(replays, visit):
    page = visit(replays[0], width=390, scheme="dark", touch=True)
    assert is_narrow(page)
    page.locator("#next-picture").tap()
    assert is_narrow(page) and page.locator("#pictures img").count() == 2


def test_the_file_is_small_and_names_no_other_place(replays):
    assert addresses(replays[0].read_text()) == []
    assert replays[0].stat().st_size < 15e6


def line(stamp, label, relations=((0, 1),), source="cup.png"):
    nodes = [{"id": 0, "label": label, "box": [0, 0, 9, 9]}]
    nodes.append({"id": 1, "label": "table", "box": [20, 0, 29, 9]})
    edges = [
        {"subject": a, "predicate": EVIL, "object": b, "score": 0.5, "source": "learned"}
        for a, b in relations
    ]
    return {
        "stamp": stamp,
        "source": source,
        "nodes": nodes,
        "relations": edges,
        "latency_ms": {},
    }


def write(folder, lines):
    folder.mkdir(parents=True)
    text = "".join(json.dumps(one) + "\n" for one in lines)
    (folder / "scene_graph.jsonl").write_text(text)
    return str(folder)


def test_runs_without_a_truth_and_with_evil_names(tmp_path, visit):
    first = write(tmp_path / "<b>a", [line(k, EVIL, source=f"{EVIL}{k}.png") for k in range(5)])
    changed = [line(k, EVIL, () if k == 2 else ((0, 1),), f"{EVIL}{k}.png") for k in range(5)]
    changed[4] = line(4, "cup", source=f"{EVIL}4.png")
    second = write(tmp_path / "<b>b", changed)
    page, scores = tmp_path / "page.html", tmp_path / "scores.json"
    assert main(["compare", first, second, "--json", str(scores), "--report", str(page)]) == 0
    opened = visit(page)
    assert wrong_numbers(opened, scores) == []
    assert opened.title() == "<b>a and <b>b compared"
    assert opened.locator(".verdict").count() == 0
    assert EVIL in opened.locator("#classes td").all_text_contents()
    assert f"{EVIL} {EVIL} table" in opened.locator("#worst li").all_text_contents()
    assert "has no pictures" in opened.locator("#timeline .note").last.text_content()
    assert opened.locator("main script, main b:not(.card b), img[src]").count() == 0


def test_pictures_of_dsflash_run(tmp_path, visit):
    runs = []
    for name, level in (("a", 60), ("b", 160)):
        runs.append(write(tmp_path / name, [line(0, "cup"), line(1, name, source="bowl.png")]))
        (tmp_path / name / "overlay").mkdir()
        for stem in ("cup", "bowl"):
            picture = np.full((48, 64, 3), level, np.uint8)
            cv2.imwrite(str(tmp_path / name / "overlay" / f"{stem}.jpg"), picture)
    assert main(["compare", *runs, "--report", str(tmp_path / "page.html")]) == 0
    page = visit(tmp_path / "page.html")
    assert page.locator("article.worst img").count() == 2
    assert page.locator("article.worst h3").text_content() == "1.000 s, bowl.png"


def test_what_is_there_stays(tmp_path, capsys):
    runs = [write(tmp_path / name, [line(0, "cup")]) for name in "ab"]
    there = tmp_path / "there.html"
    there.write_text("precious")
    for option in ("--report", "--json"):
        assert main(["compare", *runs, option, str(there)]) == 1
        out, err = capsys.readouterr()
        assert out == "" and "is there already; give --overwrite" in err
    assert there.read_text() == "precious"
    assert main(["compare", *runs, "--report", str(there), "--overwrite"]) == 0
    assert there.read_text().startswith("<!doctype html>")


def test_a_run_that_tells_nothing(tmp_path, visit):
    empty = {**line(0, "cup"), "nodes": [], "relations": []}
    runs = [write(tmp_path / name, [empty]) for name in "ab"]
    assert main(["compare", *runs, "--report", str(tmp_path / "page.html")]) == 0
    page = visit(tmp_path / "page.html")
    assert page.locator("#worst").text_content().strip().endswith("They do not differ.")
