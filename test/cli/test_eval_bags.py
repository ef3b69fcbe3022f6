"""`dsflash eval` of several bags without Ray."""

import json

import pytest
from places import ROOT

from dsflash_ros.cli import main

DRIVE = ROOT / "examples" / "drive"


def evaluate(*arguments):
    return main(["eval", *map(str, arguments), "--device", "cpu"])


def wrong_usage(capsys, *arguments):
    with pytest.raises(SystemExit) as ended:
        evaluate(*arguments)
    assert ended.value.code == 2
    return capsys.readouterr().err.splitlines()[-1]


@pytest.fixture
def bags(tmp_path):
    """Two bags, which are the same."""
    made = []
    for name in ("monday", "tuesday"):
        made.append(tmp_path / name)
        made[-1].mkdir()
        for path in DRIVE.iterdir():
            (made[-1] / path.name).symlink_to(path)
    return made


def test_each_has_a_report_and_all_together_have_one(bags, tmp_path, capsys, caplog):
    broken = tmp_path / "broken.mcap"
    broken.write_bytes(b"nonsense")
    out, total = tmp_path / "out", tmp_path / "all.json"
    given = ("--out", out, "--limit", 2)
    assert evaluate(*bags, broken, *given, "--json", total) == 1
    told = capsys.readouterr().out
    assert f"{broken}: " in caplog.text and "1 of 3 bags could not be evaluated" in caplog.text
    assert sorted(path.name for path in out.iterdir()) == ["monday.json", "tuesday.json"]
    one, merged = json.loads((out / "monday.json").read_text()), json.loads(total.read_text())
    assert one["dataset"]["images"] == 2 and merged["dataset"]["images"] == 4
    assert one["relations"]["mR@50"] == merged["relations"]["mR@50"] > 0.2
    assert one["panoptic"]["PQ"] == pytest.approx(merged["panoptic"]["PQ"], abs=1e-6)
    assert {len(image["image"].split("/")) for image in merged["images"]} == {2}
    rows = [line.split("|")[1].strip() for line in told.splitlines() if line.startswith("|")]
    assert rows[-3:] == ["monday", "tuesday", "all"]

    before = {path: path.stat().st_mtime_ns for path in out.iterdir()}
    assert evaluate(*bags, *given) == 0
    assert {path: path.stat().st_mtime_ns for path in out.iterdir()} == before
    assert told.splitlines()[-4:-1] == capsys.readouterr().out.splitlines()[-3:]
    assert evaluate(bags[0], "--out", out, "--limit", 1) == 1
    assert f"{out}/monday.json was made with other settings (limit)" in caplog.text
    assert evaluate(bags[0], "--out", out, "--limit", 1, "--overwrite") == 0
    assert json.loads((out / "monday.json").read_text())["dataset"]["images"] == 1
    (out / "tuesday.json").write_text("{")
    assert evaluate(bags[1], *given) == 1
    assert f"{out}/tuesday.json is not a result of `dsflash eval --json`" in caplog.text


def test_what_makes_no_sense_with_several_bags(tmp_path, capsys):
    two = (DRIVE, DRIVE)
    assert "several bags need --out" in wrong_usage(capsys, *two)
    out = ("--out", tmp_path / "out")
    for option in (["--report", "x.html"], ["--speed"], ["--tracking"], ["--annotations", "x"]):
        assert f"{option[0]} is of one data set or bag" in wrong_usage(capsys, *two, *out, *option)
    assert "a URL needs --ray" in wrong_usage(capsys, "s3://drives/one", DRIVE, *out)
    assert "--ray-cores needs --ray" in wrong_usage(capsys, *two, *out, "--ray-cores", 2)
    assert "--ray-cores needs --ray" in wrong_usage(capsys, DRIVE, "--ray-cores", 2)
    predcls = ("--protocol", "predcls", "--target-frame", "map")
    assert "--target-frame is of tracks" in wrong_usage(capsys, *two, *out, *predcls)
    assert not (tmp_path / "out").exists()


def test_a_data_set_among_several_bags(tmp_path, capsys, caplog):
    path = tmp_path / "psg.json"
    path.write_text("{}")
    assert evaluate(path, tmp_path / "nothing", "--out", tmp_path / "out") == 1
    assert f"{path} is no bag, and several are evaluated together only of bags" in caplog.text
    assert "2 of 2 bags could not be evaluated" in caplog.text


def test_asked_names_are_what_is_scored(tmp_path, capsys):
    """The same scores from one bag, from several, and as a page; tracks alone, too."""
    out, path, page = tmp_path / "out", tmp_path / "one.json", tmp_path / "one.html"
    given = ("--limit", 3, "--classes", "person,table,mug", "--predicates", "holding,on")
    assert evaluate(DRIVE, *given, "--json", path, "--report", page) == 0
    told, report = capsys.readouterr().out, json.loads(path.read_text())
    assert "classes: person, table, mug\npredicates: holding, on\n" in told
    assert report["options"]["predicates"] == ["holding", "on"]
    assert list(report["relations"]["per_predicate"]) == ["holding", "on"]
    assert {"person", "table", "mug"} < set(report["panoptic"]["per_class"])
    assert "bottle" not in report["panoptic"]["per_class"] and "bottle" not in page.read_text()
    found = report["tracking"]["raw"]["objects"]["F1"]
    assert report["relations"]["mR@50"] > 0.2 and report["panoptic"]["PQ"] > 0.5 and found > 0.5
    assert evaluate(DRIVE, *given, "--out", out) == 0
    assert json.loads((out / "drive.json").read_text())["relations"] == report["relations"]
    assert evaluate(DRIVE, *given, "--tracking", "--json", path, "--overwrite") == 0
    assert json.loads(path.read_text())["raw"]["objects"]["F1"] == found


def test_things_may_be_scored_as_stuff(tmp_path, capsys):
    """Each class is one segment of a frame then, in the truth and its tracks, too."""
    path = tmp_path / "one.json"
    given = ("--limit", 3, "--stuff-classes", "cup,bottle", "--json", path)
    assert evaluate(DRIVE, *given) == 0
    report = json.loads(path.read_text())
    cups = report["panoptic"]["per_class"]["cup"]
    assert cups["segments"] == 3 and cups["PQ"] > 0.2
    assert report["relations"]["mR@50"] > 0.2
    assert report["tracking"]["raw"]["objects"]["F1"] > 0.5
