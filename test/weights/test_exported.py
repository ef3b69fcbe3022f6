"""Exported models that are damaged or do not belong together are refused with the reason."""

import shutil

import pytest

pytest.importorskip("onnx")

import onnx

from dsflash_ros.errors import WeightsError
from dsflash_ros.graph.vocabulary import Vocabulary
from dsflash_ros.weights.describe import describe
from dsflash_ros.weights.loading import open_weights, require_file
from dsflash_ros.weights.onnx_metadata import read_onnx_metadata


@pytest.fixture
def folder(exported_shapes, tmp_path):
    return shutil.copytree(exported_shapes.folder, tmp_path / "model")


def edit(path, **metadata):
    """Change the metadata of an ONNX file."""
    model = onnx.load(path)
    for entry in model.metadata_props:
        entry.value = metadata.get(entry.key, entry.value)
    onnx.save(model, path)


def test_the_folder_or_either_file_will_do(folder):
    opened = [open_weights(path) for path in (folder, *folder.iterdir())]
    assert {weights.exported.folder for weights in opened} == {folder}
    assert opened[0].title == "model" and opened[0].path == folder / "segmenter.onnx"
    with pytest.raises(WeightsError, match="an exported model, which only runs"):
        require_file(opened[0])


@pytest.mark.parametrize("share", [0.0, 0.001, 0.3, 0.7, 0.999])
def test_cut_off(folder, share):
    path = folder / "relations.onnx"
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(WeightsError, match=r"relations.onnx .*is cut off"):
        open_weights(folder)


def test_no_onnx_file(folder):
    (folder / "segmenter.onnx").write_text("this is something else altogether")
    with pytest.raises(WeightsError, match=r"segmenter.onnx is no ONNX file"):
        open_weights(folder)
    (folder / "segmenter.onnx").unlink()
    with pytest.raises(WeightsError, match=r"segmenter.onnx is missing: an exported model has"):
        open_weights(folder)


def test_somebody_elses(folder):
    onnx.save(onnx.helper.make_model(onnx.GraphProto(name="empty")), folder / "segmenter.onnx")
    assert read_onnx_metadata(folder / "segmenter.onnx") == {}
    with pytest.raises(WeightsError, match="is no ONNX file that `dsflash export onnx` wrote"):
        open_weights(folder)


def test_another_version(folder):
    edit(folder / "segmenter.onnx", format="dsflash-onnx-9")
    with pytest.raises(WeightsError, match=r"format dsflash-onnx-9, but this dsflash_ros reads"):
        open_weights(folder)


def test_parts_of_two_models_and_parts_that_changed_places(folder):
    edit(folder / "segmenter.onnx", sha256="0" * 64)
    with pytest.raises(WeightsError, match="were exported from different weights"):
        open_weights(folder)
    shutil.copy(folder / "relations.onnx", folder / "segmenter.onnx")
    with pytest.raises(WeightsError, match="holds the part 'relations'"):
        open_weights(folder)


def test_labels_that_are_not_of_the_model(folder):
    with pytest.raises(WeightsError, match="another vocabulary"):
        open_weights(folder, Vocabulary.psg())
    other = Vocabulary(("cup",), ("floor",), ("on",)).to_json()
    for path in folder.iterdir():
        edit(path, vocabulary=other)
    with pytest.raises(WeightsError, match="labels would be mixed up"):
        open_weights(folder)


@pytest.mark.parametrize("model", ["{", "[" * 100_000])
def test_damaged_metadata(folder, model):
    for path in folder.iterdir():
        edit(path, model=model)
    with pytest.raises(WeightsError, match="the metadata is damaged"):
        open_weights(folder)


def test_it_is_described_as_the_checkpoint_that_it_was_made_from(exported_shapes):
    whole = describe(exported_shapes.checkpoint)
    exported = open_weights(exported_shapes.folder).exported.describe()
    of_the_file = {"file", "layout", "numbers", "bytes", "sha256"}
    assert {name: exported[name] for name in whole.keys() - of_the_file} == {
        name: value for name, value in whole.items() if name not in of_the_file
    }
