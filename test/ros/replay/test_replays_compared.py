"""Planted changes between replays of a drive are found by `dsflash compare`."""

import json
import shutil

import pytest
import torch
from places import ROOT

pytest.importorskip("dsflash_ros.msg", reason="needs rclpy and the generated messages")

from dsflash_ros.cli import main
from dsflash_ros.model.checkpoints import save_checkpoint
from dsflash_ros.weights.loading import open_weights

pytestmark = pytest.mark.slow

DRIVE = ROOT / "examples" / "drive"


def replay(out, *arguments):
    """One frame a second, so that 25 seconds are a matter of 25 images."""
    how = ("--stride", 6, "--no-originals", "--no-overlay", "--device", "cpu", "--threads", 1)
    assert main([*map(str, ("replay", DRIVE, "--out", out, *how, *arguments))]) == 0
    return out / "drive"


@pytest.fixture(scope="module")
def before(tmp_path_factory):
    return replay(tmp_path_factory.mktemp("before"))


def compare(before, after, *arguments):
    return main(["compare", str(before), str(after), *arguments])


def test_a_threshold(before, tmp_path, capsys, caplog):
    after = replay(tmp_path, "--relation-threshold", 1.0)
    assert compare(before, after) == 1
    told = capsys.readouterr().out
    assert "F1 of relations" in told and "to 0.0 %: worse" in told
    assert "the second is worse: F1 of relations" in caplog.text
    assert compare(before, after, "--margin", "100") == 0
    assert compare(before, before) == 0


def test_weights_with_noise(before, tmp_path, capsys):
    opened = open_weights("toyroom")
    model, random = opened.load(), torch.Generator().manual_seed(0)
    for parameter in model.relations.parameters():
        noise = torch.randn(parameter.shape, generator=random)
        parameter.data += 0.5 * parameter.data.std(correction=0) * noise
    weights = tmp_path / "noisy.safetensors"
    save_checkpoint(weights, model, opened.header)
    assert compare(before, replay(tmp_path, "--weights", weights)) == 1
    told = capsys.readouterr().out
    assert "F1 of relations" in told and "worse" in told
    assert "F1 of objects" in told and "no sure difference" in told


def test_a_predicate_that_is_missing(before, tmp_path, capsys):
    after = tmp_path / "after"
    shutil.copytree(before, after)
    file = after / "scene_graph.jsonl"
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    for line in lines:
        line["relations"] = [r for r in line["relations"] if r["predicate"] != "on"]
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert compare(before, after) == 1
    told = capsys.readouterr().out
    assert "… on …" in told.split("lost: ")[1]
    assert "only the second has" not in told
