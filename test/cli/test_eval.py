import hashlib
import json
import re
import subprocess
import sys
import zipfile

import pytest

pytest.importorskip("tifffile")

import torch

from dsflash_ros.cli import main
from dsflash_ros.data.shapes import VOCABULARY, write_shapes
from dsflash_ros.model.checkpoints import Header, save_checkpoint
from dsflash_ros.model.config import ModelConfig
from dsflash_ros.model.random_weights import random_model


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Five test images and tiny weights: `whole`, and `segmenter`, which cannot relate."""
    folder = tmp_path_factory.mktemp("shapes")
    write_shapes(folder, 6, test_share=0.85, height=64, width=80)
    counts = {"num_things": 6, "num_stuff": 2, "num_predicates": 6}
    config = ModelConfig(
        "tiny", image_size=64, neck_dim=32, neck_depth=1, neck_heads=2, num_queries=20, **counts
    )
    whole = Header(config, VOCABULARY)
    model = random_model(whole)
    save_checkpoint(folder / "whole.safetensors", model, whole)
    save_checkpoint(
        folder / "segmenter.safetensors", model, Header(config, VOCABULARY, trained=("segmenter",))
    )
    return folder


QUICK = (
    *("--speed", "--warm-up", "1", "--timed", "2", "--batch", "2"),
    *("--mask-threshold", "0"),
)


def evaluate(folder, *arguments, weights="whole"):
    return main(
        [
            "eval",
            str(folder),
            "--weights",
            str(folder / f"{weights}.safetensors"),
            *map(str, arguments),
        ]
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


def test_another_vocabulary_is_told_before_anything_runs(folder, capsys):
    assert main(["eval", str(folder), "--weights", "random"]) == 1
    error = capsys.readouterr().err
    assert "but of 'person' for 'ball' among the things; use weights trained for" in error
    assert error.count("\n") == 1


def test_a_damaged_image_leaves_no_result(folder, tmp_path, capsys):
    write_shapes(tmp_path / "data", 2, height=64, width=80, test_share=1.0)
    next((tmp_path / "data" / "images").iterdir()).write_bytes(b"no picture")
    weights = folder / "whole.safetensors"
    arguments = [
        "--export",
        "sgbench",
        str(tmp_path / "p.zip"),
        "--json",
        str(tmp_path / "r.json"),
    ]
    assert main(["eval", str(tmp_path / "data"), "--weights", str(weights), *arguments]) == 1
    assert "cannot be read" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


def test_a_place_for_results_that_cannot_be(folder, tmp_path, capsys):
    (tmp_path / "file").write_text("precious")
    for arguments, sentence in (
        (("--json", tmp_path / "file" / "r.json"), "cannot write"),
        (("--json", tmp_path), "is a folder"),
        (("--export", "sgbench", tmp_path), "is a folder"),
        (("--json", folder / "psg.json"), "psg.json is there already; give --overwrite"),
        (("--export", "sgbench", tmp_path / "file"), "file is there already; give --overwrite"),
        (("--export", "sgbench", "/proc/p.zip"), "cannot write"),
    ):
        assert evaluate(folder, *arguments) == 1
        out, err = capsys.readouterr()
        assert out == "" and sentence in err  # before the data set is read
    assert (tmp_path / "file").read_text() == "precious"
    assert evaluate(folder, "--limit", "1", "--json", tmp_path / "file", "--overwrite") == 0
    assert json.loads((tmp_path / "file").read_text())["dataset"]["images"] == 1


def test_a_full_disk_takes_the_export_but_not_the_scores(folder, tmp_path):
    """A limit on the size of files acts as a full disk: the JSON fits under it, masks do not.

    Besides, stderr is no terminal here: the command says in lines how far it is.
    """
    write_shapes(tmp_path / "data", 24, test_share=1.0, height=32, width=32)
    export, result = tmp_path / "p.zip", tmp_path / "r.json"
    arguments = [
        "--mask-threshold",
        "0",
        "--export",
        "sgbench",
        str(export),
        "--json",
        str(result),
    ]
    arguments = [
        "eval",
        str(tmp_path / "data"),
        "--weights",
        str(folder / "whole.safetensors"),
        *arguments,
    ]
    program = (
        "import resource, sys; from dsflash_ros import progress_bar; "
        "from dsflash_ros.cli import main; progress_bar.FIRST_LINE_S = 0.0\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (15000, 15000))\n"
        f"sys.exit(main({arguments!r}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 1, done.stderr
    assert f"dsflash eval: cannot write {export}" in done.stderr and "Traceback" not in done.stderr
    assert "recall of relations" in done.stdout and f"written: {result}" in done.stdout
    assert (
        "the export fails" in done.stderr
        and json.loads(result.read_text())["dataset"]["images"] == 24
    )
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data", "r.json"]
    assert re.search(r"^dsflash: sgdet: 1 of 24 images, \S+ a second, .* left$", done.stderr, re.M)


def test_a_split_without_images(folder, tmp_path, capsys):
    """As rendered data sets are, which are of the split train alone."""
    write_shapes(tmp_path, 2, height=64, width=80)
    assert main(["eval", str(tmp_path)]) == 1
    out, err = capsys.readouterr()
    assert out == "" and err == (
        f"dsflash eval: {tmp_path / 'psg.json'} has no images in the split 'test'; "
        "it has train (2 images): give one of --split train, --split all\n"
    )
    weights = str(folder / "whole.safetensors")
    assert main(["eval", str(tmp_path), "--split", "train", "--weights", weights]) == 0
    assert "split train: 2 images" in capsys.readouterr().out


def test_speed_is_measured_when_asked_for(folder, capsys, caplog):
    assert evaluate(folder, "--limit", "1") == 0
    assert "of warm-up" not in capsys.readouterr().out and not caplog.text
    assert evaluate(folder, "--limit", "1", "--no-speed") == 0
    assert "--no-speed is the default now and does nothing: leave it out" in caplog.text
    assert evaluate(folder, "--limit", "1", "--speed", "--speed-seconds", "0.001") == 0
    assert "mean of 1 after 1 of warm-up" in capsys.readouterr().out


def test_homes_that_are_not_there(folder, capsys):
    for arguments, sentence in (
        (("~nouser/x",), "cannot read ~nouser/x"),
        ((folder, "--images", "~nouser/x"), "images are missing"),
        ((folder, "--masks", "~nouser/x"), "masks are missing"),
        ((folder, "--weights", "~nouser/x"), "'~nouser/x'"),
    ):
        assert main(["eval", *map(str, arguments)]) == 1
        error = capsys.readouterr().err
        assert sentence in error and error.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--export", "coco", "x.zip"), "--export writes sgbench only, not 'coco'"),
        (("--protocol", "phrdet"), "invalid choice: 'phrdet'"),
        (("--tome-ratio", "2"), "tome_ratio must be a number from 0 to 0.7"),
        (("--json", "same", "--export", "sgbench", "./same"), "cannot both write same"),
        (("--timed", "0"), "'0' is no whole number from 1"),
        (("--timed", "9"), "--timed says how to measure speed: give --speed, too"),
        (("--speed-seconds", "9"), "--speed-seconds says how to measure speed"),
    ],
)
def test_wrong_usage(folder, arguments, sentence, capsys):
    with pytest.raises(SystemExit) as exit_info:
        evaluate(folder, *arguments)
    assert exit_info.value.code == 2 and sentence in capsys.readouterr().err


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
