import hashlib
import json
import zipfile

import pytest

pytest.importorskip("tifffile")


from shapes_scores import evaluate

from dsflash_ros.cli import main

pytestmark = pytest.mark.usefixtures("one_thread")


QUICK = (
    *("--speed", "--warm-up", "1", "--timed", "2", "--batch", "2"),
    *("--mask-threshold", "0"),
)


def test_sgdet(folder, tmp_path, capsys):
    result, exported = tmp_path / "results" / "r.json", tmp_path / "p.zip"
    code = evaluate(
        folder, *QUICK, "--low-resolution-masks", "--json", result, "--export", "sgbench", exported
    )
    assert code == 0
    printed = capsys.readouterr().out
    for words in (
        "split test: 5 images",
        "sgdet: recall of relations, %",
        "panoptic quality, %",
        "classes, %",
        "|  class | segments |",
        "larger than",
        "relations by their score, %",
        "calibration error",
        "latency",
        f"written: {result}\n",
        f"written: {exported}\n",
    ):
        assert words in printed
    found = json.loads(result.read_text())
    assert found["dataset"]["images"] == found["dataset"]["of"] == found["relations"]["images"] == 5
    assert found["dataset"]["split"] == "test" and found["dataset"]["vocabulary"] == "other"
    weights = (folder / "whole.safetensors").read_bytes()
    assert found["weights"] == {
        "name": "whole.safetensors",
        "sha256": hashlib.sha256(weights).hexdigest(),
        "trained": ["segmenter", "relations"],
    }
    assert found["model"]["size"] == "tiny" and found["model"]["parameters"] > 1e6
    options = {
        "low_resolution_masks": True,
        "relation_threshold": 0.0,
        "max_relations": 65535,
        "mask_threshold": 0.0,
    }
    assert {key: found["options"][key] for key in options} == options
    assert found["speed"]["latency_ms"] > 0 and found["speed"]["timed"] == 2
    assert set(found["panoptic"]) > {"PQ", "SQ_things", "RQ_stuff", "per_class"}
    assert (
        found["relations"]["thresholds"]["0.1"]["relations"]
        > found["relations"]["thresholds"]["0.9"]["relations"]
    )
    assert found["machine"]["cores"] >= 1
    with zipfile.ZipFile(exported) as archive:
        index = json.loads(archive.read("triplets.json"))
    assert len(index["images"]) == 5 and index["eval"]["options"] == found["options"]
    assert any(image["triplets"] for image in index["images"])


def test_predcls(folder, tmp_path, capsys):
    result = tmp_path / "r.json"
    assert evaluate(folder, "--protocol", "predcls", "--limit", "2", "--json", result) == 0
    found = json.loads(result.read_text())
    assert found["dataset"]["images"] == found["relations"]["images"] == 2
    assert found["dataset"]["of"] == 5
    assert found["panoptic"] is found["speed"] is None
    assert found["relations"]["mR@inf"] == found["relations"]["instance_recall"] == 1.0
    assert "2 of 5 images" in capsys.readouterr().out


def test_all_splits_and_options_that_the_user_gives(folder, tmp_path):
    result = tmp_path / "r.json"
    options = ("--relation-threshold", "0.9", "--max-relations", "7")
    assert evaluate(folder, "--split", "all", *options, "--json", result) == 0
    found = json.loads(result.read_text())
    assert found["dataset"]["split"] is None and found["dataset"]["images"] == 6
    assert (found["options"]["relation_threshold"], found["options"]["max_relations"]) == (0.9, 7)


def test_weights_without_a_relation_stage(folder, tmp_path, capsys, caplog):
    result = tmp_path / "r.json"
    assert evaluate(folder, *QUICK, "--json", result, weights="segmenter") == 0
    found = json.loads(result.read_text())
    assert found["relations"]["mR@50"] is found["speed"]["relations_per_second"] is None
    assert found["panoptic"]["PQ"] is not None and found["relations"]["mR@inf"] is not None
    assert (
        "no trained relation stage" in caplog.text
        and "relations untrained" in capsys.readouterr().out
    )
    assert evaluate(folder, "--protocol", "predcls", weights="segmenter") == 1
    assert (
        "no trained relation stage, which is all that predcls evaluates" in capsys.readouterr().err
    )


def test_speed_is_measured_when_asked_for(folder, capsys, caplog):
    assert evaluate(folder, "--limit", "1") == 0
    assert "of warm-up" not in capsys.readouterr().out and not caplog.text
    assert evaluate(folder, "--limit", "1", "--no-speed") == 0
    assert "--no-speed is the default now and does nothing: leave it out" in caplog.text
    assert evaluate(folder, "--limit", "1", "--speed", "--speed-seconds", "0.001") == 0
    assert "mean of 1 after 1 of warm-up" in capsys.readouterr().out


def test_tables(folder, tmp_path, capsys):
    result = tmp_path / "r.json"
    evaluate(folder, "--json", result)
    capsys.readouterr()
    assert main(["tables"]) == 0
    assert "DSFlash-L" in capsys.readouterr().out
    assert main(["tables", str(result)]) == 0
    assert (
        f"{result}: in no table: it differs from the nearest row in vocabulary other"
        in capsys.readouterr().out
    )
    assert main(["tables", str(folder / "psg.json")]) == 1
    assert "is not a result of `dsflash eval --json`" in capsys.readouterr().err
