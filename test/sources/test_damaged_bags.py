"""Bags whose recorder was cut off, or that are broken in places: what is whole is read."""

import shutil
import struct
from pathlib import Path
from types import SimpleNamespace

import pytest
from mcap.reader import make_reader
from media_files import jpeg_message, picture, raw_images, read_source, write_bag
from rosbags.rosbag2 import StoragePlugin

from dsflash_ros.errors import SourceError
from dsflash_ros.sources import bag_reader, is_bag, whole_copies
from dsflash_ros.sources.bag_reader import open_bag


@pytest.fixture(autouse=True)
def say_it_again():
    bag_reader._warn.cache_clear()


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """1500 images of 2 kB, in four chunks."""
    images = raw_images(1500)
    path = tmp_path_factory.mktemp("bags") / "drive"
    return write_bag(path, {"/image": images}, StoragePlugin.MCAP, compressed=True)


@pytest.fixture
def bag(whole, tmp_path):
    shutil.copytree(whole, tmp_path / "drive")
    return tmp_path / "drive"


def file_of(bag):
    [file] = bag.glob("*.mcap")
    return file


@pytest.mark.parametrize("share", [0.4, 0.7, 0.999])
@pytest.mark.parametrize("by_file", [False, True])
def test_what_was_recorded_before_the_cut(bag, share, by_file, caplog):
    file = file_of(bag)
    content = file.read_bytes()
    file.write_bytes(content[: int(share * len(content))])
    frames, _ = read_source(file if by_file else bag)
    assert 1500 * share - 450 < len(frames) <= 1500
    assert [frame.rgb[0, 0].tolist() for frame in frames[:3]] == [
        picture(seed=i)[0, 0].tolist() for i in range(3)
    ]
    stamps = [frame.stamp for frame in frames]
    assert stamps == [10.5 + i for i in range(len(frames))]
    [said] = [r.getMessage() for r in caplog.records if "is damaged" in r.getMessage()]
    assert f"{len(frames)} messages could be read; it has no proper end" in said


def test_without_an_index(bag, caplog):
    file = file_of(bag)
    content = file.read_bytes()
    summary = struct.unpack("<Q", content[-28:-20])[0]  # where it starts, from the footer
    file.write_bytes(content[:summary])
    assert len(read_source(bag)[0]) == 1500
    assert "1500 messages could be read" in caplog.text


def test_a_broken_part_in_the_middle(bag, caplog):
    file = file_of(bag)
    with file.open("rb") as stream:
        chunks = make_reader(stream).get_summary().chunk_indexes
    content = bytearray(file.read_bytes())
    data = chunks[1].chunk_start_offset + 53  # behind the head of the chunk
    content[data : data + 16] = bytes(16)
    file.write_bytes(content[:-50])  # and no end
    frames, _ = read_source(bag)
    assert 600 < len(frames) < 1500 and "1 part in between could not" in caplog.text
    stamps = [frame.stamp for frame in frames]
    assert stamps == sorted(stamps) and stamps[0] == 10.5 and stamps[-1] == 1509.5


def test_without_metadata(bag, caplog):
    (bag / "metadata.yaml").unlink()
    assert is_bag(bag)
    assert len(read_source(bag)[0]) == 1500
    assert caplog.text.count("has no metadata.yaml") == 1


def test_a_split_recording_that_was_cut_off(bag, tmp_path, caplog):
    """The last file has no end, and there is no metadata, as after a loss of power."""
    other = write_bag(tmp_path / "other", {"/image": raw_images(1500)}, StoragePlugin.MCAP)
    first, last = bag / "drive_2.mcap", bag / "drive_10.mcap"
    file_of(bag).rename(first)
    last.write_bytes(file_of(other).read_bytes()[:1_500_000])
    (bag / "metadata.yaml").unlink()
    frames, source = read_source(bag)
    assert 1500 < len(frames) < 3000 and len(source) == len(frames)
    assert "drive_10.mcap is damaged" in caplog.text and "drive_2.mcap is" not in caplog.text


@pytest.mark.parametrize("content", [b"", b"\x89MCAP0\r\n", b"nothing of the kind" * 100])
def test_files_of_nothing(bag, content):
    file_of(bag).write_bytes(content)
    with pytest.raises(SourceError, match=r"drive cannot be read: there is no whole message in"):
        open_bag(bag)


def test_copies_are_made_once(bag):
    file = file_of(bag)
    file.write_bytes(file.read_bytes()[:-100])
    paths = set()
    for _ in range(3):
        reader = open_bag(bag)
        paths.update(reader.paths)
        reader.close()
    assert len(paths) == 1


def test_mixed_encodings_and_clock_jumps(tmp_path, caplog):
    images = [
        *raw_images(2),
        lambda store: raw_images(1, encoding="nonsense")[0](store),
        *raw_images(1, encoding="bgr8"),  # its stamp is that of the first: the clock jumps back
    ]
    frames, source = read_source(write_bag(tmp_path / "bag", {"/image": images}))
    assert len(frames) == 3 and source.skipped == 1 and source.bad_stamps == 1
    assert frames[2].rgb[0, 0].tolist() == frames[0].rgb[0, 0].tolist()[::-1]
    assert "nonsense" in caplog.text and "stamps go back" in caplog.text


def test_types_that_nobody_knows(tmp_path):
    jpegs = [lambda store: jpeg_message(store, picture())]
    bag = write_bag(tmp_path / "bag", {"/image/compressed": jpegs, "/other": [b"\0\1\0\0"]})
    assert len(read_source(bag)[0]) == 1


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_no_space_for_the_copy(bag, tmp_path, monkeypatch):
    file = file_of(bag)
    file.write_bytes(file.read_bytes()[:-5000])
    (tmp_path / file.name).symlink_to("/dev/full")
    folder = SimpleNamespace(name=str(tmp_path))
    monkeypatch.setattr(whole_copies.tempfile, "TemporaryDirectory", lambda prefix: folder)
    with pytest.raises(SourceError, match=r"cannot be copied to .*: No space left on device; TMP"):
        open_bag(bag)
