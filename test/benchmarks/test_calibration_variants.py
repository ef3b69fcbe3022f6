import json
import shutil
import sys

import pytest

pytest.importorskip("diffusers", reason="the extra `diffusion` is not installed")
pytest.importorskip("peft", reason="the extra `diffusion` is not installed")
pytest.importorskip("lightning", reason="the extra `train` is not installed")

import calibration
import inversion
from diffusion_folders import write_toy_folder

from dsflash_ros.data.shapes import write_shapes


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The diffusion model is there already, with random weights."""
    folder = tmp_path_factory.mktemp("variants")
    write_shapes(folder / "data", 12, seed=8, height=72, width=96, test_share=0.4)
    toy = write_toy_folder(folder / "runs" / "toy_diffusion")
    shutil.copytree(toy / "text_encoder", folder / "text")
    shutil.copytree(toy / "tokenizer", folder / "text", dirs_exist_ok=True)
    return folder


@pytest.mark.slow
def test_variants_are_calibrated_once_and_compared(monkeypatch, folder, capsys):
    monkeypatch.setattr(calibration, "NOVEL", ["beside", "above"])
    monkeypatch.setattr(calibration, "IMAGE_SIZE", 128)
    data = str(folder / "data")
    given = [data, "--test", data, "--text", str(folder / "text"), "--out", str(folder / "runs")]
    given += ["--train-images", "4", "--relations", "epochs=1", "batch_size=2", "--calibration"]
    given += ["image_size=128", "steps=2", "epochs=1", "map_side=8", "novel_predicates=[]"]
    monkeypatch.setattr(sys, "argv", ["calibration", *given, "--json", str(folder / "a.json")])
    assert calibration.main() == 0
    rows = {row["calibration"]: row for row in json.loads((folder / "a.json").read_text())["rows"]}
    assert list(rows) == list(calibration.VARIANTS)
    assert all(0 <= row["novel"] <= 1 and 0 <= row["R@50"] <= 1 for row in rows.values())
    assert rows["none"]["L_cal first"] is None and rows["full"]["L_cal first"] > 0
    assert "above" not in rows["full"]["per_predicate"]
    assert "calibrations on" in capsys.readouterr().out
    paths = [*folder.glob("runs/*/*.safetensors"), *folder.glob("runs/row-*")]
    before = {path: path.stat().st_mtime_ns for path in paths}
    assert calibration.main() == 0
    assert all(path.stat().st_mtime_ns == time for path, time in before.items())
    maps = [(folder / "runs" / f"calibration-{name}" / "teacher_maps.npy").read_bytes()
            for name in ("full", "no_LoRA", "no_inversion")]  # fmt: skip
    assert maps[0] == maps[1] != maps[2]


def test_inversion_is_measured(monkeypatch, folder, capsys):
    given = [str(folder / "runs" / "toy_diffusion"), str(folder / "data"), "--images", "2"]
    given += ["--steps", "3", "--image-size", "128", "--json", str(folder / "inversion.json")]
    monkeypatch.setattr(sys, "argv", ["inversion", *given])
    assert inversion.main() == 0
    (row,) = json.loads((folder / "inversion.json").read_text())["rows"]
    assert row["O-BELM"] < 1e-3 < row["DDIM"]
    assert row["steps"] == 3 and 0 < row["inversion"] < 2
    monkeypatch.setattr(sys, "argv", ["inversion", str(folder / "absent"), *given[1:]])
    assert inversion.main() == 1
    assert "is no folder of a diffusion model" in capsys.readouterr().err
