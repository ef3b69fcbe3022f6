"""`dsflash run` with the real pipeline on real files."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
from media_files import image_message, picture, raw_images, write_bag, write_image, write_video
from places import SHARED
from run_command import fails, lines_of, run

from dsflash_ros.graph.vocabulary import Vocabulary
from dsflash_ros.pipeline.pipeline import Options, SceneGraphPipeline
from dsflash_ros.weights.shipped import DEFAULT_WEIGHTS

PHOTOS = SHARED / "data/photos"


@pytest.fixture(scope="module", autouse=True)
def load_shipped_model_once():
    """Loading takes longer than running. A device that is named is still looked for."""
    make = SceneGraphPipeline.from_weights
    loaded = []

    def from_weights(weights, **settings):
        if weights != DEFAULT_WEIGHTS or settings["device"] not in ("auto", "cpu"):
            return make(weights, **settings)
        if not loaded:
            loaded.append(make(weights, **settings))
        loaded[0].options, loaded[0].for_trackers = settings["options"], False
        return loaded[0]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(SceneGraphPipeline, "from_weights", from_weights)
        yield


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """Images (one is broken, one too small), a folder, a video and a bag, run together."""
    folder = tmp_path_factory.mktemp("run")
    images = [
        write_image(folder / f"{name}.png", picture(40 + i, 60, seed=i))
        for i, name in enumerate("ab")
    ]
    (folder / "broken.png").write_bytes(b"broken")
    small = write_image(folder / "small.png", picture(8, 8))
    album = folder / "album"
    album.mkdir()
    write_image(album / "a.png", picture(33, 47))
    video = write_video(folder / "clip.mp4", frames=5, rate=10)
    resized = [lambda store: image_message(store, picture(50, 40), (9, 0))]
    bag = write_bag(folder / "bag", {"/left": raw_images(1) + resized, "/right": raw_images(1)})
    out = folder / "out"
    sources = [*images, folder / "broken.png", small, album, video, bag]
    command = [sys.executable, "-m", "dsflash_ros.cli", "run", *sources, "--out", out]
    command += ["--topic", "/left", "--stride", "2", "--max-relations", "5"]
    command += ["--weights", "random-tiny"]
    process = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=300)
    return folder, process


def test_run_succeeds_and_sums_up(results):
    folder, process = results
    assert process.returncode == 0, process.stderr
    assert "frames in" in process.stdout and "median latency" in process.stdout
    assert str(folder / "out" / "scene_graph.jsonl") in process.stdout


def test_run_says_once_that_the_graphs_mean_nothing(results):
    _, process = results
    warning = "the weights 'random-tiny' are untrained: these scene graphs mean nothing"
    assert process.stderr.count(warning) == 1


def test_each_used_frame_has_its_line_in_order(results):
    folder, _ = results
    video, bag = str(folder / "clip.mp4"), "/left"
    expected = [
        (str(folder / "a.png"), 0.0),
        (str(folder / "album" / "a.png"), 0.0),
        (video, 0.0),
        (video, 0.2),
        (video, 0.4),
        (bag, 10.5),
    ]
    lines = lines_of(folder / "out")
    assert [(line["source"], pytest.approx(line["stamp"])) for line in lines] == expected
    for line in lines:
        assert set(line) == {
            "stamp",
            "source",
            "weights",
            "position_frame",
            "nodes",
            "relations",
            "latency_ms",
        }
        assert line["weights"] == "random-tiny" and line["latency_ms"]["total"] > 0
        ids = {node["id"] for node in line["nodes"]}
        assert len(line["relations"]) <= 5
        assert all({r["subject"], r["object"]} <= ids for r in line["relations"])
    assert any(line["relations"] for line in lines)


def test_each_used_frame_has_its_picture(results):
    folder, _ = results
    overlays = folder / "out" / "overlay"
    assert {p.name for p in overlays.iterdir()} == {"a.jpg", "a_2.jpg", "clip.mp4", "bag.mp4"}
    assert cv2.imread(str(overlays / "a.jpg")).shape == (40, 60, 3)
    assert cv2.VideoCapture(str(overlays / "clip.mp4")).get(cv2.CAP_PROP_FRAME_COUNT) == 3
    assert cv2.VideoCapture(str(overlays / "clip.mp4")).get(cv2.CAP_PROP_FPS) == 5


def test_broken_and_too_small_images_are_left_out_with_a_sentence(tmp_path, capsys, caplog):
    good = write_image(tmp_path / "good.png", picture(40, 60))
    (tmp_path / "broken.png").write_bytes(b"broken")
    small = write_image(tmp_path / "small.png", picture(8, 8))
    assert run(tmp_path / "broken.png", small, good, "--out", tmp_path / "out", "--no-overlay") == 0
    assert [line["source"] for line in lines_of(tmp_path / "out")] == [str(good)]
    assert "broken.png: the image cannot be decoded" in caplog.text and "small.png: " in caplog.text
    assert "2 frames skipped" in caplog.text
    assert not (tmp_path / "out" / "overlay").exists()
    # with results there, another run is refused
    assert "--overwrite" in fails(capsys, good, "--out", tmp_path / "out")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["nowhere.mp4", "--out", "out"], "'nowhere.mp4' is not there"),
        (["a.png", "--out", "a.png"], "cannot write to a.png"),
        (["a.png", "--out", "out", "--weights", "nowhere.safetensors"], "nowhere.safetensors"),
        (["a.png", "--out", "out", "--weights", "a.png"], "a.png"),
        (["a.png", "--out", "out", "--device", "cuda:99"], "cuda"),
        (["a.png", "--out", "out", "--device", "toaster"], "toaster"),
        (["tiny.png", "--out", "out", "--no-overlay"], "no frame of tiny.png could be used"),
    ],
)
def test_what_fails(arguments, sentence, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    write_image(tmp_path / "a.png", picture(40, 60))
    write_image(tmp_path / "tiny.png", picture(4, 4))
    assert sentence in fails(capsys, *arguments)


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--mask-threshold", "1.5"),
        ("--tome-ratio", "0.9"),
        ("--relation-threshold", "nan"),
        ("--max-relations", "-1"),
    ],
)
def test_options_out_of_range_are_wrong_usage(option, value, tmp_path, capsys):
    image = write_image(tmp_path / "a.png", picture())
    with pytest.raises(SystemExit) as exit_info:
        run(image, "--out", tmp_path / "out", option, value)
    assert exit_info.value.code == 2
    assert option.strip("-").replace("-", "_") in capsys.readouterr().err


def test_options_reach_the_pipeline(tmp_path, monkeypatch):
    seen = {}
    make = SceneGraphPipeline.from_weights

    def spy(weights, **settings):
        seen.update(settings, weights=weights)
        return make("random-tiny", **{**settings, "threads": 0})

    monkeypatch.setattr(SceneGraphPipeline, "from_weights", spy)
    image = write_image(tmp_path / "a.png", picture())
    switches = [
        *("--weights", "random-small", "--vocabulary", "psg", "--threads", "3"),
        *("--backend", "torch", "--device", "cpu", "--precision", "float32"),
        *("--pruning", "--low-resolution-masks", "--tome-ratio", "0.3"),
        *("--classes", "person, dog", "--predicates", "on,looking at", "--text-encoder", "a/b"),
    ]
    limits = [
        *("--mask-threshold", "0.7", "--overlap-threshold", "0.6"),
        *("--relation-threshold", "0.4", "--max-relations", "9", "--max-segments", "7"),
    ]
    assert run(image, "--out", tmp_path / "out", *switches, *limits) == 0
    options = Options(
        mask_threshold=0.7,
        overlap_threshold=0.6,
        relation_threshold=0.4,
        max_relations=9,
        max_segments=7,
        pruning=True,
        tome_ratio=0.3,
        low_resolution_masks=True,
    )
    assert seen == dict(
        weights="random-small",
        backend="torch",
        device="cpu",
        precision="float32",
        compile=False,
        threads=3,
        vocabulary=Vocabulary.psg(),
        classes=("person", "dog"),
        stuff_classes=(),
        predicates=("on", "looking at"),
        text_encoder="a/b",
        image_encoder="",
        options=options,
    )


def test_limit(tmp_path):
    video = write_video(tmp_path / "clip.mp4", frames=20, rate=10)
    options = ("--stride", "3", "--limit", "2", "--no-overlay")
    assert run(video, video, "--out", tmp_path / "out", *options) == 0
    assert [line["stamp"] for line in lines_of(tmp_path / "out")] == pytest.approx([0, 0.3, 0, 0.3])


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_full_disk(tmp_path, capsys):
    image = write_image(tmp_path / "a.png", picture(40, 60))
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "scene_graph.jsonl").symlink_to("/dev/full")
    assert "No space left on device" in fails(capsys, image, "--out", tmp_path / "out")


@pytest.mark.slow
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_what_was_written_before_an_interrupt_stays_whole(tmp_path, number, code):
    video = write_video(tmp_path / "clip.mp4", frames=500)
    out = tmp_path / "out"
    process = subprocess.Popen(
        [sys.executable, "-m", "dsflash_ros.cli", "run", video, "--out", out],
        stderr=subprocess.PIPE,
        text=True,
    )
    end = time.monotonic() + 120
    while time.monotonic() < end and process.poll() is None:
        if (out / "scene_graph.jsonl").exists() and len(lines_of(out)) >= 2:
            break
        time.sleep(0.05)
    os.kill(process.pid, number)
    error = process.communicate(timeout=60)[1]
    assert process.returncode == code and "Traceback" not in error
    lines = lines_of(out)
    assert 2 <= len(lines) < 500
    frames = cv2.VideoCapture(str(out / "overlay" / "clip.mp4")).get(cv2.CAP_PROP_FRAME_COUNT)
    assert len(lines) - 1 <= frames <= len(lines)


@pytest.mark.skipif(not PHOTOS.is_dir(), reason="the shared photographs are not on this machine")
def test_shared_photographs_and_clips(tmp_path):
    clips = PHOTOS.parent / "bedroom.mp4", PHOTOS.parent / "02_cups.mp4"
    assert run(PHOTOS, *clips, "--limit", "4", "--out", tmp_path) == 0
    assert len(lines_of(tmp_path)) == 12
    pictures = {p.stem: cv2.imread(str(p)) for p in (tmp_path / "overlay").glob("*.jpg")}
    assert {name: picture.shape for name, picture in pictures.items()} == {
        p.stem: cv2.imread(str(p)).shape for p in PHOTOS.iterdir()
    }
    # Drawn upon: storing a photograph anew as JPEG changes its pixels by some 2 of 255.
    assert all(
        np.abs(pictures[p.stem] - cv2.imread(str(p)).astype(float)).mean() > 10
        for p in PHOTOS.iterdir()
    )
