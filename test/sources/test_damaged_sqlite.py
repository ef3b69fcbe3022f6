"""SQLite bags that were cut off, broken, or never closed: what is whole is read."""

import sqlite3

import pytest
from media_files import picture, raw_images, read_source, write_bag

from dsflash_ros.errors import SourceError
from dsflash_ros.sources import bag_reader
from dsflash_ros.sources.damaged_sqlite import copy_sqlite

COUNT = 300


@pytest.fixture(autouse=True)
def say_it_again():
    bag_reader._warn.cache_clear()


@pytest.fixture
def bag(tmp_path):
    return write_bag(tmp_path / "drive", {"/image": raw_images(COUNT)})


def file_of(bag):
    [file] = bag.glob("*.db3")
    return file


@pytest.mark.parametrize("share", [0.3, 0.8])
@pytest.mark.parametrize("has_metadata", [False, True])
def test_what_was_recorded_before_the_cut(bag, share, has_metadata, caplog):
    file = file_of(bag)
    file.write_bytes(file.read_bytes()[: int(share * file.stat().st_size)])
    if not has_metadata:
        (bag / "metadata.yaml").unlink()
    frames, _ = read_source(bag)
    assert COUNT * share - 30 < len(frames) < COUNT
    assert all((f.rgb[0, 0] == picture(seed=i)[0, 0]).all() for i, f in enumerate(frames))
    assert f"{len(frames)} messages could be read; it has no proper end" in caplog.text


def test_a_broken_page_in_the_middle(bag, tmp_path, caplog):
    file = file_of(bag)
    content = bytearray(file.read_bytes())
    middle = len(content) // 2 // 4096 * 4096
    content[middle : middle + 4096] = b"\xff" * 4096
    file.write_bytes(content)
    messages, gaps, problem = copy_sqlite(file, tmp_path / "copy.db3")
    assert 250 < messages < COUNT and gaps == 1 and problem == ""


def test_messages_that_are_in_the_log_alone(bag, tmp_path, caplog):
    """As a recorder that was killed leaves them; rosbags reads the file without its log."""
    file = file_of(bag)
    recorder = sqlite3.connect(file)
    recorder.execute("PRAGMA journal_mode=WAL")
    recorder.execute("PRAGMA wal_autocheckpoint=0")
    recorder.execute(
        "INSERT INTO messages SELECT id + 1000, topic_id, timestamp + 60000000000, data "
        "FROM messages LIMIT 7"
    )
    recorder.commit()
    killed = tmp_path / "killed"
    killed.mkdir()
    for path in bag.iterdir():
        (killed / path.name).write_bytes(path.read_bytes())
    recorder.close()
    assert len(read_source(killed)[0]) == COUNT + 7
    assert f"{COUNT + 7} messages could be read" in caplog.text


@pytest.mark.parametrize("content", [b"", b"SQLite format 3\0", b"nothing of the kind" * 1000])
def test_files_of_nothing(bag, content):
    file_of(bag).write_bytes(content)
    with pytest.raises(SourceError, match=r"there is no whole message in drive\.db3"):
        read_source(bag)


def test_a_copy_that_cannot_be_written(bag, tmp_path):
    with pytest.raises(OSError, match="unable to open database file"):
        copy_sqlite(file_of(bag), tmp_path / "no folder" / "copy.db3")


def test_a_cut_bag_of_ros_1(tmp_path):
    (tmp_path / "drive.bag").write_bytes(b"#ROSBAG V2.0\n" + bytes(5000))
    with pytest.raises(SourceError, match="`rosbag reindex` of ROS 1 mends what was cut off"):
        read_source(tmp_path / "drive.bag")
