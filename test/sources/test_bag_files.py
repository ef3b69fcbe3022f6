"""What is taken for a bag, and which of its files make it."""

import os

import pytest

from dsflash_ros.sources.bag_files import is_bag, recorded_files


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["drive_10.mcap", "drive_2.mcap", "notes.txt"], ["drive_2.mcap", "drive_10.mcap"]),
        (["drive.mcap"], ["drive.mcap"]),
        (["drive_0.db3", "drive_1.db3"], ["drive_0.db3", "drive_1.db3"]),
        (["monday_0.mcap", "tuesday_0.mcap"], []),
        (["drive_0.mcap", "drive_0.db3"], []),
        (["one.bag", "two.bag"], []),
        ([], []),
    ],
)
def test_a_folder_without_metadata(tmp_path, names, expected):
    for name in names:
        (tmp_path / name).touch()
    assert [path.name for path in recorded_files(tmp_path)] == expected
    assert is_bag(tmp_path) == bool(expected)
    (tmp_path / "image.PNG").touch()
    assert not is_bag(tmp_path)
    (tmp_path / "metadata.yaml").touch()
    assert is_bag(tmp_path)


def test_paths_that_are_no_folders(tmp_path):
    assert is_bag(tmp_path / "there is none.mcap") and not is_bag(tmp_path / "there is none")
    assert not is_bag(tmp_path / ("long" * 100))


@pytest.mark.skipif(os.geteuid() == 0, reason="root can read everything")
def test_a_folder_that_cannot_be_read(tmp_path):
    (tmp_path / "drive.mcap").touch()
    tmp_path.chmod(0)
    try:
        assert not is_bag(tmp_path)
    finally:
        tmp_path.chmod(0o700)
