"""`dsflash eval` with what it cannot use, and where it cannot write."""

import json
import re
import subprocess
import sys

import pytest

pytest.importorskip("tifffile")

from shapes_scores import evaluate

from dsflash_ros.cli import main
from dsflash_ros.data.shapes import write_shapes

pytestmark = pytest.mark.usefixtures("one_thread")


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
    write_shapes(tmp_path / "data", 60, test_share=1.0, height=32, width=32)
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
        "resource.setrlimit(resource.RLIMIT_FSIZE, (32000, 32000))\n"
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
        and json.loads(result.read_text())["dataset"]["images"] == 60
    )
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data", "r.json"]
    assert re.search(r"^dsflash: sgdet: 1 of 60 images, \S+ a second, .* left$", done.stderr, re.M)


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
        (("--true-segments",), "--true-segments needs --tracking"),
        (("--target-frame", "map"), "--target-frame is of bags, and"),
        (("--topic", "/image"), "--topic is of bags, and"),
        (("--annotations", "x"), "--annotations is of bags, and"),
    ],
)
def test_wrong_usage(folder, arguments, sentence, capsys):
    with pytest.raises(SystemExit) as exit_info:
        evaluate(folder, *arguments)
    assert exit_info.value.code == 2 and sentence in capsys.readouterr().err
