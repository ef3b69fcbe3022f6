"""`dsflash export int8` of the package's weights, on the drive."""

import logging
import shutil

import numpy as np
import pytest
from places import ROOT

from dsflash_ros import SceneGraphPipeline, cli
from dsflash_ros.errors import ExportError, OutputError, WeightsError
from dsflash_ros.evaluation.report import Report
from dsflash_ros.export.quantizing import export_int8
from dsflash_ros.weights.loading import open_weights

pytest.importorskip("nncf", reason="needs the extra int8")
pytest.importorskip("openvino", reason="needs the extra openvino")
pytest.importorskip("onnxscript", reason="needs the extra export")

DRIVE = ROOT / "examples" / "drive"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("exported") / "toyroom"
    assert cli.main(["export", "onnx", "toyroom", "--out", str(folder), "--scenes", "1"]) == 0
    return folder


@pytest.fixture(scope="module")
def noise():
    return list(np.random.default_rng(0).integers(0, 256, (12, 48, 64, 3)).astype(np.uint8))


@pytest.mark.slow
def test_what_is_told_stays(folder, tmp_path, capsys):
    out = tmp_path / "int8"
    given = ["--images", str(DRIVE), "--count", "20", "--out", str(out)]
    assert cli.main(["export", "int8", str(folder), *given]) == 0
    told = capsys.readouterr().out
    assert "on 4 images that were not used for calibration" in told and f"written: {out}" in told
    before, after = open_weights(folder).exported, open_weights(out).exported
    assert after.is_int8 and not before.is_int8 and after.header == before.header
    small, large = (model.files["segmenter"].stat().st_size for model in (after, before))
    assert small < large / 3
    np.testing.assert_array_equal(after.phrases(), before.phrases())
    assert after.describe()["numbers"] == "segmenter in int8"
    report, scores = tmp_path / "report.json", {}
    for name, path in (("float32", folder), ("int8", out)):
        how = ["--weights", str(path), "--backend", "openvino", "--limit", "30"]
        assert cli.main(["eval", str(DRIVE), *how, "--json", str(report), "--overwrite"]) == 0
        scores[name] = Report.read(report)
    assert scores["int8"].options["precision"] == "int8"
    qualities = [one.panoptic["PQ"] for one in scores.values()]
    assert np.diff(qualities) > -0.02 and min(qualities) > 0.5  # int8 may be the better one by luck
    pipeline = SceneGraphPipeline.from_weights(out, backend="onnx")
    assert pipeline.precision == "int8"
    assert pipeline(np.zeros((48, 64, 3), np.uint8)).panoptic.shape == (48, 64)
    with pytest.raises(WeightsError, match="in int8 already: give the model that it was made from"):
        export_int8(out, [], tmp_path / "again")


def test_what_cannot_be_is_refused(folder, noise, tmp_path):
    with pytest.raises(WeightsError, match="toyroom is no exported model: write one with"):
        export_int8("toyroom", noise, tmp_path / "out")
    with pytest.raises(ExportError, match=r"needs 10 images or more .* got 9"):
        export_int8(folder, noise[:9], tmp_path / "out")
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="is a file"):
        export_int8(folder, noise, tmp_path / "file")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.slow
def test_a_model_that_says_something_else_is_not_written(folder, noise, tmp_path, monkeypatch):
    monkeypatch.setattr("dsflash_ros.export.quantizing.LEAST_AGREEMENT", 1.01)
    kept = tmp_path / "kept"
    shutil.copytree(folder, kept)
    levels = [handler.level for handler in logging.root.handlers]
    with pytest.raises(ExportError, match="of the pixels get the class that they had"):
        export_int8(folder, noise, kept, overwrite=True)
    assert [handler.level for handler in logging.root.handlers] == levels
    assert not open_weights(kept).exported.is_int8
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]
