"""Exported models compute what PyTorch does, and say what they are."""

import json
import shutil

import pytest

pytest.importorskip("onnxscript")


from dsflash_ros.conversion.checkpoint_files import sha256_of
from dsflash_ros.errors import ExportError, OutputError, WeightsError
from dsflash_ros.export import comparison, exporting
from dsflash_ros.export.scenes import COUNTS, random_scene
from dsflash_ros.graph.label_maps import label_boxes
from dsflash_ros.pipeline.backends.choosing import make_backend
from dsflash_ros.pipeline.pipeline import SceneGraphPipeline
from dsflash_ros.weights.loading import open_weights
from dsflash_ros.weights.onnx_metadata import read_onnx_metadata


@pytest.mark.parametrize("scenes", [5, pytest.param(50, marks=pytest.mark.slow)])
@pytest.mark.parametrize("kind", ["exported_shapes", "exported_objects", "exported_rgt"])
def test_close_to_pytorch_on_random_scenes(kind, scenes, request):
    exported = request.getfixturevalue(kind)
    model = open_weights(exported.checkpoint).load()
    backend = make_backend("onnx", open_weights(exported.folder), device="cpu")
    found = comparison.compare_with_torch(model, backend, scenes, first=100)
    assert max(found) <= 1e-4, found
    assert backend.relater_options == model.relations.options


@pytest.mark.parametrize("seed", range(100, 125))
def test_scenes_are_what_they_promise(seed):
    scene = random_scene(seed, 64, 8)
    count = COUNTS[seed % len(COUNTS)]
    assert len(scene.class_ids) == count and scene.labels.max() == count - 1
    assert (label_boxes(scene.labels, count)[:, 2] > 0).all()  # each has a pixel
    assert scene.class_probabilities.sum(1) == pytest.approx(1, abs=0.99)


def test_some_scenes_have_a_segment_that_fills_the_image():
    filled = [(random_scene(seed, 64, 8).labels >= 0).all() for seed in range(100, 125)]
    assert any(filled) and not all(filled)


def test_files_say_what_they_are(exported_shapes):
    opened = open_weights(exported_shapes.checkpoint)
    onnx = pytest.importorskip("onnx")
    for part in ("segmenter", "relations"):
        path = exported_shapes.folder / f"{part}.onnx"
        metadata = read_onnx_metadata(path)
        entries = onnx.load(path).metadata_props
        assert metadata == {entry.key: entry.value for entry in entries}
        assert metadata["format"] == "dsflash-onnx-1" and metadata["part"] == part
        assert metadata["sha256"] == sha256_of(exported_shapes.checkpoint)
        assert json.loads(metadata["labels"]) == list(opened.header.vocabulary.classes)
        assert "uint8 RGB, (1, 64, 64, 3)" in json.loads(metadata["preprocessing"])["images"]
    assert open_weights(exported_shapes.folder).header == opened.header


def test_the_numbers_of_segments_pairs_and_patches_are_free(exported_shapes):
    onnx = pytest.importorskip("onnx")
    graph = onnx.load(exported_shapes.folder / "relations.onnx").graph
    shapes = {
        entry.name: [axis.dim_param or axis.dim_value for axis in entry.type.tensor_type.shape.dim]
        for entry in graph.input
    }
    assert shapes["pairs"] == ["pairs", 2] and shapes["kept"] == ["pairs", "patches"]
    assert shapes["boxes"] == ["segments", 4] and shapes["class_ids"] == ["segments"]


def test_what_differs_is_not_written(exported_shapes, tmp_path, monkeypatch):
    monkeypatch.setattr(comparison, "TOLERANCE", 0.0)
    monkeypatch.setattr(exporting, "write_onnx", copy_of(exported_shapes.folder))
    with pytest.raises(ExportError, match="differs too much from PyTorch"):
        exporting.export_onnx(exported_shapes.checkpoint, tmp_path / "out", scenes=2)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_is_replaced_when_told_so_and_whole(exported_shapes, tmp_path, monkeypatch):
    monkeypatch.setattr(exporting, "write_onnx", copy_of(exported_shapes.folder))
    out = tmp_path / "a" / "out"
    exporting.export_onnx(exported_shapes.checkpoint, out, scenes=1)
    (out / "segmenter.onnx").write_bytes(b"")
    with pytest.raises(OutputError, match="is there already; give --overwrite"):
        exporting.export_onnx(exported_shapes.checkpoint, out, scenes=1)
    exporting.export_onnx(exported_shapes.checkpoint, out, overwrite=True, scenes=1)
    assert sorted(path.name for path in out.iterdir()) == ["relations.onnx", "segmenter.onnx"]
    assert open_weights(out).header.config.image_size == 64
    (out / "notes.txt").touch()
    with pytest.raises(OutputError, match="holds other files"):
        exporting.export_onnx(exported_shapes.checkpoint, out, overwrite=True)


def test_what_cannot_be_exported(exported_shapes, tmp_path):
    with pytest.raises(WeightsError, match=r"exported model, which only runs.*whole.safetensors"):
        exporting.export_onnx(exported_shapes.folder, tmp_path / "out")
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="is a file: an exported model is a folder"):
        exporting.export_onnx(exported_shapes.checkpoint, tmp_path / "file")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def copy_of(folder):
    """Writes an exported model by copying it, which saves the time of tracing it again."""
    return lambda opened, model, out: shutil.copytree(folder, out, dirs_exist_ok=True)


@pytest.mark.slow
def test_a_mask2former_is_exported_and_runs(tmp_path):
    folder, found = exporting.export_onnx("random-proscale-lite0", tmp_path / "lite", scenes=2)
    assert max(found[2:]) <= 1e-4
    image = random_scene(3, 384, 8).image
    graph = SceneGraphPipeline.from_weights(folder)(image)
    assert graph.nodes and graph.nodes[0].box[2] <= 384
    about = open_weights(folder).exported.describe()
    assert (about["segmenter"], about["backbone"], about["queries"]) == ("mask2former", "lite0", 48)
    assert about["settings"]["p1"] == 3 and "size" not in about
