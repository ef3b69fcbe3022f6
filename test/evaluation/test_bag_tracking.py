"""`dsflash eval BAG --tracking` with the shipped weights on the recorded drive."""

import json
import subprocess
import sys

import pytest
from media_files import raw_images, write_bag
from places import ROOT

pytest.importorskip("mujoco", reason="needs the extra toyroom")
pytest.importorskip("trackeval", reason="needs TrackEval: pip install --no-deps trackeval")

from dsflash_ros.cli import main

pytestmark = pytest.mark.slow

DRIVE = str(ROOT / "examples" / "drive")


def evaluate(*arguments):
    return main(["eval", *map(str, arguments), "--tracking", "--device", "cpu"])


@pytest.mark.parametrize("frame", ["", "map"])
def test_scores_of_the_drive(tmp_path, capsys, frame):
    path = tmp_path / "scores.json"
    assert evaluate(DRIVE, "--limit", 12, "--target-frame", frame, "--json", path) == 0
    told, scores = capsys.readouterr().out, json.loads(path.read_text())
    assert scores["frames"] == 12 and scores["format"] == "dsflash-tracking-1"
    assert 0.5 < scores["IDF1"] <= 1 and 0.4 < scores["HOTA"] <= 1
    assert f"IDF1 {100 * scores['IDF1']:.1f} %" in told
    for side in ("raw", "tracked"):
        for what in ("objects", "relations"):
            assert 0.2 < scores[side][what]["F1"] <= 1
    assert scores["tracked"]["changes"] <= scores["raw"]["changes"] + 0.5


def test_the_scores_of_data_sets_on_a_bag(tmp_path, capsys):
    for protocol in ("sgdet", "predcls"):
        given = ("--limit", 8, "--protocol", protocol, "--json", tmp_path / f"{protocol}.json")
        assert main([*map(str, ("eval", DRIVE, "--device", "cpu", *given))]) == 0
    evaluate(DRIVE, "--limit", 8, "--json", tmp_path / "tracks.json")
    found = json.loads((tmp_path / "sgdet.json").read_text())
    given = json.loads((tmp_path / "predcls.json").read_text())
    assert found["dataset"]["images"] == 8
    assert found["panoptic"]["PQ"] > 0.5
    alone = json.loads((tmp_path / "tracks.json").read_text())
    assert found["tracking"] == {name: alone[name] for name in found["tracking"]}
    assert given["tracking"] is given["latency_ms"] is None
    times = found["latency_ms"]["total"]
    assert 0 < times["median"] <= times["90 %"] <= times["99 %"]
    assert 0.3 < found["relations"]["R@50"] < given["relations"]["R@50"] <= 1
    with pytest.raises(SystemExit):
        main(["eval", DRIVE, "--speed"])
    assert "--speed needs a data set" in capsys.readouterr().err


def test_relations_are_those_of_the_node_unless_a_threshold_is_given(tmp_path):
    told = []
    for arguments in ((), ("--relation-threshold", 0)):
        path = tmp_path / f"{len(told)}.json"
        evaluate(DRIVE, "--limit", 3, "--json", path, *arguments)
        relations = json.loads(path.read_text())["raw"]["relations"]
        told.append(relations["recall"] / relations["precision"])
    assert told[1] > 3 * told[0]  # all that rank among the first 100


def test_true_segments_and_measured_positions(tmp_path, capsys):
    bag, path = tmp_path / "drive", tmp_path / "scores.json"
    camera = ("--seed", 7, "--rate", 6, "--duration", 2, "--size", "320x240", "--noisy-depth")
    command = (sys.executable, "-m", "dsflash_ros.cli", "toyroom", "camera", *camera)
    subprocess.run([*map(str, command), "--record", bag], check=True)  # not beside torch
    given = ("--target-frame", "map", "--true-segments", "--json", path)
    assert evaluate(bag, *given) == 0
    scores = json.loads(path.read_text())
    assert scores["raw"]["objects"]["F1"] == scores["tracked"]["objects"]["precision"] == 1
    assert scores["IDF1"] > 0.95
    assert 0 < scores["positions"]["median"] < 0.1
    assert "positions at 1.5 to 2.5 m: wrong by" in capsys.readouterr().out


def test_bags_that_cannot_be_scored(tmp_path, capsys):
    bag = write_bag(tmp_path / "bag", {"/image": raw_images()})
    assert evaluate(bag) == main(["eval", str(bag), "--device", "cpu"]) == 1
    assert capsys.readouterr().err.count("has no true graphs (/ground_truth/scene_graph)") == 2
    assert main(["eval", str(DRIVE), "--weights", "random-tiny", "--device", "cpu"]) == 1
    assert "use weights trained for its vocabulary" in capsys.readouterr().err
    assert evaluate(DRIVE, "--topic", "/rear/image") == 1
    assert "has no image topic /rear/image" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        evaluate(DRIVE, "--speed")
    assert "--tracking goes with --json" in capsys.readouterr().err
