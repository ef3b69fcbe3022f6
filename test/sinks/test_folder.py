"""The files that `dsflash run` writes, from graphs made by hand."""

import json
import subprocess
from pathlib import Path

import cv2
import numpy as np
import pytest

from dsflash_ros.errors import OutputError
from dsflash_ros.graph.scene_graph import SceneGraph
from dsflash_ros.sinks.folder import ResultFolder
from dsflash_ros.sources.source import Frame, Source


class Video(Source):
    """A video of which only name and rate matter."""


class Images(Source):
    is_sequence = False


def frame(name="a.png", size=(48, 64), value=128):
    return Frame(np.full((*size, 3), value, np.uint8), 0.0, name)


def graph_of(frame):
    return SceneGraph(
        (), (), np.full(frame.rgb.shape[:2], -1, np.int32), source=frame.name, weights="mine"
    )


def write(output, frame, source):
    output.write(graph_of(frame), frame, source)


def lines_of(folder):
    return [
        json.loads(line)
        for line in (folder / "scene_graph.jsonl").read_text(encoding="utf-8").splitlines()
    ]


def read_video(path):
    capture = cv2.VideoCapture(str(path))
    frames = []
    while (read := capture.read())[0]:
        frames.append(read[1])
    return frames, capture.get(cv2.CAP_PROP_FPS)


def test_images_get_a_picture_each_under_their_names(tmp_path):
    with ResultFolder(tmp_path / "new" / "out") as output:
        for number, name in enumerate(["x/cup.png", "y/cup.jpg", "z/Tasse ü.png"]):
            write(output, frame(name, value=60 * number), Images("three"))
    overlays = tmp_path / "new" / "out" / "overlay"
    assert {p.name for p in overlays.iterdir()} == {"cup.jpg", "cup_2.jpg", "Tasse ü.jpg"}
    means = [cv2.imread(str(overlays / name)).mean() for name in ("cup.jpg", "cup_2.jpg")]
    np.testing.assert_allclose(means, [0, 60], atol=2)
    assert [line["source"] for line in lines_of(tmp_path / "new" / "out")] == [
        "x/cup.png",
        "y/cup.jpg",
        "z/Tasse ü.png",
    ]


@pytest.mark.parametrize("rate", [30, 29.97, 23.976, 66.6667, 119.88, 0.25, 7.1234, None])
def test_a_video_gets_a_video_of_its_rate(tmp_path, rate):
    source = Video("clips/clip.mp4", rate)
    with ResultFolder(tmp_path, stride=2) as output:
        for number in range(4):
            write(output, frame("clip", value=50 * number), source)
    frames, written_rate = read_video(tmp_path / "overlay" / "clip.mp4")
    np.testing.assert_allclose([f.mean() for f in frames], [0, 50, 100, 150], atol=4)
    assert written_rate == pytest.approx((rate or 10) / 2, rel=1e-4)


def test_pictures_of_another_size_or_source_begin_another_video(tmp_path):
    one, two = Video("a/clip.mp4", 10), Video("b/clip.mp4", 20)
    with ResultFolder(tmp_path) as output:
        for source, size in (
            (one, (48, 64)),
            (one, (48, 64)),
            (one, (64, 48)),
            (two, (64, 48)),
            (two, (64, 48)),
        ):
            write(output, frame(size=size), source)
    videos = {p.name: read_video(p) for p in (tmp_path / "overlay").iterdir()}
    assert {name: (len(frames), rate) for name, (frames, rate) in videos.items()} == {
        "clip.mp4": (2, 10),
        "clip_2.mp4": (1, 10),
        "clip_3.mp4": (2, 20),
    }


def test_a_camera_gets_a_video(tmp_path):
    with ResultFolder(tmp_path) as output:
        write(output, frame("camera 0"), Video("camera 0"))
    assert [p.name for p in (tmp_path / "overlay").iterdir()] == ["camera_0.mp4"]


def test_without_overlays(tmp_path):
    with ResultFolder(tmp_path, overlays=False) as output:
        write(output, frame(), Images("one"))
        write(output, frame(), Video("clip.mp4"))
    assert [p.name for p in tmp_path.iterdir()] == ["scene_graph.jsonl"]
    assert len(lines_of(tmp_path)) == 2


def test_lines_are_on_the_disk_at_once(tmp_path):
    with ResultFolder(tmp_path) as output:
        for count in (1, 2, 3):
            write(output, frame(), Images("three"))
            assert len(lines_of(tmp_path)) == count


def test_results_are_not_replaced_unasked(tmp_path):
    with ResultFolder(tmp_path) as output:
        write(output, frame(), Images("one"))
    with pytest.raises(OutputError, match="there already: give another --out, or --overwrite"):
        ResultFolder(tmp_path)
    assert len(lines_of(tmp_path)) == 1
    with ResultFolder(tmp_path, overwrite=True):
        pass  # no graph was made, say because the weights are not there
    assert len(lines_of(tmp_path)) == 1 and (tmp_path / "overlay" / "a.jpg").exists()
    (tmp_path / "overlay" / "notes.txt").write_text("mine")
    with ResultFolder(tmp_path, overwrite=True) as output:
        write(output, frame("new.png"), Images("one"))
        write(output, frame("more.png"), Images("one"))
    assert [line["source"] for line in lines_of(tmp_path)] == ["new.png", "more.png"]
    left = {path.name for path in (tmp_path / "overlay").iterdir()}
    assert left == {"new.jpg", "more.jpg", "notes.txt"}


def test_a_file_in_the_place_of_the_folder(tmp_path):
    (tmp_path / "out").write_text("a file")
    for folder in (tmp_path / "out", tmp_path / "out" / "below"):
        with pytest.raises(OutputError, match=f"cannot write to {folder}"):
            ResultFolder(folder)


@pytest.mark.skipif(
    not Path("/proc/version").exists(), reason="needs a place where nobody may write"
)
def test_a_place_where_nobody_may_write():
    with pytest.raises(OutputError, match="cannot write to /proc/dsflash"):
        ResultFolder("/proc/dsflash")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_ends_with_a_sentence(tmp_path):
    (tmp_path / "scene_graph.jsonl").symlink_to("/dev/full")
    with (
        pytest.raises(OutputError, match=r"No space left on device; free or choose another place"),
        ResultFolder(tmp_path) as output,
    ):
        write(output, frame(), Images("one"))


@pytest.fixture
def small_disk(tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", disk], capture_output=True
    ).returncode:
        pytest.skip("a small disk cannot be mounted here")
    yield disk
    subprocess.run(["umount", "-l", disk], check=True)


@pytest.mark.parametrize("overlays", [True, False])
@pytest.mark.parametrize("kind", [Images, Video])
def test_a_disk_that_fills_up_leaves_whole_lines(small_disk, kind, overlays):
    source, written = kind("clip.mp4"), 0
    noise = np.random.default_rng(0).integers(0, 255, (240, 320, 3), np.uint8)
    with (
        pytest.raises(OutputError, match=r"No space left on device|is the disk full"),
        ResultFolder(small_disk, overlays) as output,
    ):
        for number in range(5000):
            write(output, Frame(np.roll(noise, number), float(number), "clip"), source)
            written += 1
    assert 0 < written < 5000
    assert written <= len(lines_of(small_disk)) <= written + 1
    pictures = list(small_disk.glob("overlay/*.jpg"))
    assert all(path.read_bytes().endswith(b"\xff\xd9") for path in pictures)  # none cut off
    assert len(pictures) == (written if overlays and kind is Images else 0)


def test_two_runs_cannot_write_the_same_results(tmp_path):
    with (
        ResultFolder(str(tmp_path), overlays=False),
        pytest.raises(OutputError, match="another run is writing"),
    ):
        ResultFolder(str(tmp_path), overlays=False, overwrite=True)
    ResultFolder(str(tmp_path), overlays=False).__exit__(None)


def test_empty_and_impossible_folders():
    for folder, sentence in (("", "is empty"), ("~nobody-of-that-name/x", "cannot be")):
        with pytest.raises(OutputError, match=sentence):
            ResultFolder(folder)
