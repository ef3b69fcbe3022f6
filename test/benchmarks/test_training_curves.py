import json
import sys

import cv2
import pytest
import training_curves


def write_run(folder, lines, **config):
    folder.mkdir()
    (folder / "config.yaml").write_text(
        "\n".join(f"{key}: {value}" for key, value in config.items())
    )
    (folder / "scores.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return folder


@pytest.fixture
def runs(tmp_path):
    segmenter = [
        {"epoch": n, "train/loss": 9.0 / n, "val/PQ": 0.2 * n, "val/SQ": 0.1 * n} for n in (1, 2, 3)
    ]
    relations = [
        {"epoch": n, "train/loss": 1.0 / n, "val/mR@50": 0.1 * n, "images_per_s": 5} for n in (1, 2)
    ]
    return [
        write_run(tmp_path / "segmenter", segmenter, lr=0.0002, batch_size=16, image_size=224),
        write_run(
            tmp_path / "relations", relations, lr=0.001, batch_size=8, segmenter="a.safetensors"
        ),
    ]


@pytest.fixture
def script(monkeypatch, capsys):
    """Run it; its exit code, stdout and stderr."""

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["training_curves.py", *map(str, arguments)])
        return training_curves.main(), *capsys.readouterr()

    return run


def test_what_is_read(runs):
    segmenter, relations = map(training_curves.read_run, runs)
    assert segmenter.title == "segmenter, 224 px\nlr 0.0002, batches of 16"
    assert relations.title == "relations\nlr 0.001, batches of 8"
    assert segmenter.epochs == [1, 2, 3]
    assert list(segmenter.curves) == ["train/loss", "val/PQ", "val/SQ"]
    assert segmenter.curves["train/loss"] == [9, 4.5, 3]
    assert segmenter.curves["val/PQ"] == pytest.approx([0.2, 0.4, 0.6])
    assert set(relations.curves) == {"train/loss", "val/mR@50"}


def test_a_column_for_each_run(runs, script, tmp_path):
    pytest.importorskip("matplotlib")
    widths = []
    for number in (1, 2):
        assert script(*runs[:number], "--out", tmp_path / "curves.png")[0] == 0
        picture = cv2.imread(str(tmp_path / "curves.png"))
        widths.append(picture.shape[1])
        assert (picture != 255).mean() > 0.01
    assert widths[1] > widths[0] + 200


def test_mistakes(runs, script, tmp_path, monkeypatch):
    def refused(says, *arguments):
        code, out, err = script(*arguments, "--out", tmp_path / "curves.png")
        assert code == 1 and out == "" and says in err and err.count("\n") == 1
        assert not (tmp_path / "curves.png").exists()

    refused("is no folder of a training run (No such file or directory)", tmp_path / "none")
    refused(
        "no epoch of the run in",
        write_run(tmp_path / "young", [], lr=1, batch_size=1, image_size=64),
    )
    (runs[0] / "scores.jsonl").write_text('{"epoch": 1, "tr')
    refused("is no folder of a training run (JSONDecodeError", runs[0])
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    refused("which is not installed: pip install 'dsflash_ros[benchmarks]'", runs[1])
