"""What all sources have in common, and how one is opened."""

import os

import numpy as np
import pytest
from media_files import picture, read_source, write_image, write_video
from places import SHARED

from dsflash_ros.errors import SourceError
from dsflash_ros.sources import open_source, open_sources
from dsflash_ros.sources.source import Frame, Source

DATA = SHARED / "data"


def test_image_files_in_a_row_make_one_source(tmp_path):
    images = [
        str(write_image(tmp_path / f"{name}.png", picture(seed=i))) for i, name in enumerate("ba")
    ]
    video = str(write_video(tmp_path / "v.mp4"))
    sources = open_sources([*images, video, images[0]])
    assert [len(s) for s in sources] == [2, 12, 1]
    assert [(f.name, f.stamp) for f in sources[0]] == [(images[0], 0.0), (images[1], 1.0)]


def test_a_stamp_that_is_no_number_or_goes_back_is_counted_and_reported(caplog):
    class Odd(Source):
        def _frames(self):
            for stamp in (1.0, float("nan"), 0.5, 2.0):
                yield Frame(picture(), stamp, "odd")

    source = Odd("odd")
    assert [f.stamp for f in source] == [1.0, 1.0, 0.5, 2.0]
    assert source.bad_stamps == 2
    assert "a frame's stamp is nan; the last one, 1.0, is used" in caplog.text
    assert "stamps go back, from 1.0 to 0.5; they are kept" in caplog.text
    with pytest.raises(TypeError, match="not known"):
        len(source)


def test_not_there():
    with pytest.raises(SourceError, match=r"'nowhere\.mp4' is not there"):
        open_source("nowhere.mp4")


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("a.png", b"not a picture", "a.png: the image cannot be decoded"),
        ("a.jpg", b"", "a.jpg: the image has no data"),
        ("a.mp4", b"not a video", "cannot be opened: it is no image, bag or video"),
        ("a.mp4", b"", "cannot be opened"),
        ("a.txt", b"hello", "cannot be opened"),
        ("a.db3", b"not a bag", "the bag .* cannot be read"),
        ("a.mcap", b"not a bag", "the bag .* cannot be read"),
        ("a.bag", b"not a bag", "the bag .* cannot be read"),
        ("metadata.yaml", b"{", "the bag .* cannot be read"),
    ],
)
def test_broken_file(tmp_path, name, content, sentence):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(SourceError, match=sentence):
        read_source(tmp_path if name == "metadata.yaml" else path)


@pytest.mark.skipif(
    not DATA.is_dir(), reason="the shared clips and photographs are not on this machine"
)
@pytest.mark.parametrize(
    ("name", "size", "count"),
    [("bedroom.mp4", (540, 960), 200), ("02_cups.mp4", (720, 1280), 300), ("photos", None, 4)],
)
def test_shared_data(name, size, count):
    with open_source(str(DATA / name)) as source:
        shapes = [frame.rgb.shape for frame in source if frame.rgb.dtype == np.uint8]
    assert len(source) == len(shapes) == count and source.skipped == source.bad_stamps == 0
    assert size is None or set(shapes) == {(*size, 3)}


@pytest.mark.parametrize(
    "text", ["", "~nobody-of-that-name/a.jpg", "a" * 300, "a\0b", "99999999999999999999"]
)
def test_what_cannot_be_a_source_is_one_sentence(text):
    with pytest.raises(SourceError) as caught:
        open_source(text)
    assert "\n" not in str(caught.value)
    with pytest.raises(SourceError):
        open_sources([text])


def test_a_pipe_is_no_source(tmp_path):
    os.mkfifo(tmp_path / "a.jpg")
    with pytest.raises(SourceError, match="is not there"):
        open_source(str(tmp_path / "a.jpg"))
