"""`dsflash export`, and the commands that run what it wrote, in processes that have no PyTorch."""

import json
import subprocess
import sys
from itertools import pairwise

import pytest
from places import ROOT

from dsflash_ros.cli import main
from dsflash_ros.cli.export import spread
from dsflash_ros.sources.source import Source

WITHOUT_TORCH = """
import sys
for name in ("torch", "torchvision", "timm"):
    sys.modules[name] = None
from dsflash_ros.cli import main
sys.exit(main(sys.argv[1:]))
"""
PHOTO = str(ROOT / "examples/photos/coffee.jpg")


def without_torch(*arguments):
    """Run the command where torch cannot be imported. Returns the exit code and what it said."""
    command = [sys.executable, "-c", WITHOUT_TORCH, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


def test_runs_without_torch(exported_shapes, tmp_path):
    out = tmp_path / "out"
    given = ("--weights", exported_shapes.folder, "--mask-threshold", "0.3")
    code, output = without_torch("run", PHOTO, *given, "--out", out)
    assert code == 0, output
    (line,) = (out / "scene_graph.jsonl").read_text().splitlines()
    assert json.loads(line)["weights"] == str(exported_shapes.folder)
    assert (out / "overlay/coffee.jpg").exists()


def test_an_exported_model_is_described_without_torch(exported_shapes):
    code, output = without_torch("weights", "info", exported_shapes.folder)
    assert code == 0, output
    assert "dsflash-onnx-1" in output and "whole.safetensors" in output


def test_checkpoints_need_torch(exported_shapes, tmp_path):
    for weights in ("toyroom", "random", exported_shapes.checkpoint):
        code, output = without_torch("run", PHOTO, "--weights", weights, "--out", tmp_path / "out")
        assert code == 1 and "Traceback" not in output
        assert "is a checkpoint" in output or "are a checkpoint, which needs torch" in output
        assert f"`dsflash export onnx {weights} --out FOLDER`" in output
    code, output = without_torch("export", "onnx", "toyroom", "--out", tmp_path / "model")
    assert code == 1 and "needs torch" in output and "Traceback" not in output


@pytest.mark.parametrize("command", [("eval", "x"), ("weights", "pack", "x", "--out", "y")])
def test_other_commands_say_that_they_need_torch(command):
    code, output = without_torch(*command)
    assert code == 1 and output.count("\n") == 1
    assert "this needs torch, which is not installed" in output


def test_an_export_says_how_close_it_is(exported_shapes, tmp_path, capsys, monkeypatch):
    import shutil

    from dsflash_ros.export import exporting

    def copy(opened, model, out):
        shutil.copytree(exported_shapes.folder, out, dirs_exist_ok=True)

    monkeypatch.setattr(exporting, "write_onnx", copy)  # tracing takes long, and is tested there
    arguments = ["export", "onnx", str(exported_shapes.checkpoint), "--out", str(tmp_path / "m")]
    assert main([*arguments, "--scenes", "3"]) == 0
    output = capsys.readouterr().out
    assert "on 3 random scenes" in output and "pruned_logits" in output
    assert f"written: {tmp_path / 'm'}" in output
    assert main(arguments) == 1
    assert "give --overwrite to replace it" in capsys.readouterr().err


@pytest.mark.parametrize("backend", ["torch", "tensorrt"])
def test_a_backend_that_is_not_there_is_one_sentence(exported_shapes, tmp_path, backend, capsys):
    arguments = ["--weights", str(exported_shapes.folder), "--backend", backend]
    assert main(["run", PHOTO, *arguments, "--out", str(tmp_path / "out")]) == 1
    output = capsys.readouterr().err
    assert output.count("\n") == 1 and "onnx" in output


class NumberSource(Source):
    """Its frames are their own numbers."""

    def __init__(self, total, is_known=True):
        super().__init__("numbers", length=total if is_known else None)
        self._total = total

    def __iter__(self):
        return iter(range(self._total))


@pytest.mark.parametrize("total", [1, 7, 99, 100, 101, 150, 199, 200, 1234])
def test_images_for_int8_are_spread_over_the_whole_source(total):
    found = list(spread(NumberSource(total), 100))
    assert len(found) == min(total, 100)
    ends = [*found, total]
    steps = [end - start for start, end in pairwise(ends)]
    assert found[0] == 0 and max(steps) - min(steps) <= 1


def test_images_for_int8_are_the_first_of_a_source_of_unknown_length():
    assert list(spread(NumberSource(150, is_known=False), 100)) == list(range(100))
