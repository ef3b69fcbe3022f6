"""Every command that takes a data set, a source or a result, on odd ones.

What cannot be used is told in one sentence that names it, with exit code 1; a data set or source of
one image works.
"""

import json
from pathlib import Path

import pytest
from media_files import picture, raw_images, write_bag, write_image, write_video
from shapes_weights import write_weights

from dsflash_ros.cli import main
from dsflash_ros.data.shapes import write_shapes

TRAIN = ["epochs=1", "workers=0", "device=cpu", "augmentation=none", "batch_size=1"]


pytestmark = pytest.mark.usefixtures("one_thread")


def edited(folder, **changes):
    """Change the JSON of a data set."""
    path = folder / "psg.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    """Data sets, sources and other files, and weights."""
    folder = tmp_path_factory.mktemp("odd")
    for name in ("one_image", "no_images", "no_fields"):
        write_shapes(folder / name, 1, height=64, width=80)
    edited(folder / "no_images", data=[])
    edited(folder / "no_fields", data=[{"image_id": 1}])
    (folder / "empty_folder").mkdir()
    (folder / "zero_bytes").touch()
    (folder / "zero_bytes.mp4").touch()
    (folder / "text").write_text("no JSON, no image")
    (folder / "text.png").write_text("no image")
    (folder / "object.json").write_text("{}")
    (folder / "list.json").write_text("[1]")
    write_image(folder / "one.png", picture(48, 64))
    write_video(folder / "one.mp4", frames=1)
    write_video(folder / "no_frames.mp4", frames=0)
    write_bag(folder / "one_bag", {"/image": raw_images(1)})
    write_bag(folder / "bag_without_images", {"/other": [b"\0\1\0\0\0"]})
    write_bag(folder / "bag_of_depth", {"/image": raw_images(2, encoding="32FC1")})
    (folder / "broken_bag").mkdir()
    (folder / "broken_bag" / "metadata.yaml").write_text("{}")
    write_weights(folder)
    return folder


def dataset_commands(inputs, data, out):
    """By name, the commands that take a data set."""
    weights = ["--weights", inputs / "whole.safetensors"]
    eval = ["eval", data, "--split", "all", *weights]
    train = [f"dataset={data}", "val_split=none", *TRAIN]
    segmenter = ["image_size=64", "start=", "num_queries=20", "warmup_steps=[0, 0]"]
    relations = ["neck_dim=32", "neck_depth=1", "neck_heads=2"]
    relations.append(f"segmenter={inputs / 'segmenter.safetensors'}")
    calibrate = ["weights", "calibrate", inputs / "whole.safetensors", data, "--split", "all"]
    return {
        "eval": [*eval, "--json", out / "r.json"],
        "eval --speed": [*eval, "--speed", "--speed-seconds", "0.1", "--batch", "2"],
        "eval predcls": [*eval, "--protocol", "predcls", "--export", "sgbench", out / "p.zip"],
        "train segmenter": ["train", "segmenter", "tiny", f"out={out}/run", *train, *segmenter],
        "train relations": ["train", "relations", "tiny", f"out={out}/run", *train, *relations],
        "weights calibrate": [*calibrate, "--out", out / "c.safetensors"],
        "bench loader": ["bench", "loader", data, "--image-size", "32", "--repeat", "1"],
        "toyroom show": ["toyroom", "show", data, "--out", out / "sheet.png"],
    }


def source_commands(inputs, source, out):
    """By name, the commands that take a source."""
    weights = ["--weights", inputs / "whole.safetensors"]
    return {
        "run": ["run", source, "--out", out, *weights],
        "bench frame": ["bench", "frame", source, "--repeat", "1", *weights],
        "bench load": ["bench", "load", source, "--repeat", "1", *weights],
        "play": ["play", source, "--count", "1"],
    }


DATASET_COMMANDS = list(dataset_commands(Path(), Path(), Path()))
SOURCE_COMMANDS = list(source_commands(Path(), Path(), Path()))


def skip_without_extras(name):
    """Some libraries only come with an extra."""
    for command, library in (("train", "lightning"), ("predcls", "tifffile")):
        if command in name:
            pytest.importorskip(library)


def refused(capsys, command, path):
    """Run the command; the sentence with which it refuses the path."""
    capsys.readouterr()
    assert main(list(map(str, command))) == 1
    lines = capsys.readouterr().err.splitlines()
    assert lines[-1].startswith(f"dsflash {command[0]}: ") and str(path) in lines[-1]
    return lines[-1]


@pytest.mark.parametrize("name", DATASET_COMMANDS)
def test_data_sets_that_cannot_be_used(inputs, tmp_path, capsys, name):
    skip_without_extras(name)
    for data, sentence in {
        "no_images": "has no images: its list 'data' is empty",
        "no_fields": "image 1: 'segments_info' must be a list of objects",
        "empty_folder": "No such file or directory; name a psg.json or the folder that it lies in",
        "zero_bytes": "is not JSON, or is cut off",
        "text": "is not JSON, or is cut off",
        "one.png": "is not JSON, or is cut off",
        "object.json": "is no data set in PSG's format: it lacks data, thing_classes",
        "list.json": "is no data set in PSG's format: it lacks data, thing_classes",
        "missing": "No such file or directory; name a psg.json or the folder that it lies in",
    }.items():
        path = inputs / data
        command = dataset_commands(inputs, path, tmp_path)[name]
        assert sentence in refused(capsys, command, path)
        assert not list(tmp_path.iterdir()), "it wrote something"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("eval", "sgdet: recall of relations"),
        ("eval --speed", "mean of"),
        ("eval predcls", "instance recall 100.00 % (the segments are given)"),
        ("train segmenter", "best weights: "),
        ("train relations", "best weights: "),
        ("bench loader", "1 image,"),
        ("toyroom show", "written: "),
    ],
)
def test_a_data_set_of_one_image(inputs, tmp_path, capsys, name, said):
    skip_without_extras(name)
    command = dataset_commands(inputs, inputs / "one_image", tmp_path)[name]
    assert main(list(map(str, command))) == 0
    assert said in capsys.readouterr().out


def test_calibration_on_one_image(inputs, tmp_path, capsys):
    """These weights find nothing in it: too little to calibrate with, as the command says."""
    command = dataset_commands(inputs, inputs / "one_image", tmp_path)["weights calibrate"]
    assert main(list(map(str, command))) == 1
    assert "calibration needs true and false ones" in capsys.readouterr().err


def test_training_on_a_split_without_images(inputs, tmp_path, capsys):
    skip_without_extras("train")
    command = dataset_commands(inputs, inputs / "one_image", tmp_path)["train relations"]
    for setting, choices in (
        ("train_split=test", "train_split=train"),
        ("val_split=test", "val_split=train or val_split=none"),
    ):
        sentence = refused(capsys, [*command, setting], inputs / "one_image")
        assert sentence.endswith(f"in the split 'test'; it has train (1 image): set {choices}")


@pytest.mark.parametrize("name", SOURCE_COMMANDS)
def test_sources_that_cannot_be_used(inputs, tmp_path, capsys, name):
    if name == "play":
        pytest.importorskip("dsflash_ros.msg", reason="needs ROS and the generated messages")
    for source, sentence in {
        "empty_folder": "has no images (jpg, ",
        "zero_bytes": "cannot be opened: it is no image, bag or video",
        "zero_bytes.mp4": "cannot be opened: it is no image, bag or video",
        "text": "cannot be opened: it is no image, bag or video",
        "text.png": "the image cannot be decoded",
        "object.json": "cannot be opened: it is no image, bag or video",
        "no_images": "has no images (jpg, ",
        "no_frames.mp4": "cannot be opened: it is no image, bag or video",
        "bag_without_images": "has no images (sensor_msgs Image or CompressedImage)",
        "bag_of_depth": "none of the 2 images on /image of",
        "broken_bag": "cannot be read",
        "missing": "is not there: give an image, a folder, a video, a bag or a camera's index",
    }.items():
        path, out = inputs / source, tmp_path / source
        command = source_commands(inputs, path, out)[name]
        assert sentence in refused(capsys, command, path)


@pytest.mark.parametrize("name", ["run", "bench frame"])
@pytest.mark.parametrize("source", ["one.png", "one.mp4", "one_bag", "one_image/images"])
def test_a_source_of_one_image(inputs, tmp_path, capsys, name, source):
    """For `play`: test/ros/playback."""
    command = source_commands(inputs, inputs / source, tmp_path)[name]
    assert main(list(map(str, command))) == 0
    assert ("1 frames in" if name == "run" else "segment") in capsys.readouterr().out


def test_results_that_cannot_be_used(inputs, capsys):
    for result, sentence in {
        "missing": "No such file or directory",
        "empty_folder": "Is a directory",
        "zero_bytes": "is not a result of `dsflash eval --json`: it is not JSON",
        "one.png": "is not a result of `dsflash eval --json`: it is not JSON",
        "list.json": "is not a result of `dsflash eval --json`: it has the wrong type: [1]",
        "one_image/psg.json": "is not a result of `dsflash eval --json`: it lacks 'format'",
    }.items():
        assert sentence in refused(capsys, ["tables", inputs / result], inputs / result)
