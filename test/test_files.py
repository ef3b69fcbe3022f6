import errno
import os

import pytest

from dsflash_ros.errors import OutputError
from dsflash_ros.files import check_output, expand, replacing


def test_the_new_file_takes_the_old_ones_place_at_the_end(tmp_path):
    path = tmp_path / "a.json"
    path.write_text("old")
    with replacing(path) as partial:
        partial.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert path.stat().st_mode & 0o777 == 0o644
    assert os.listdir(tmp_path) == ["a.json"]


@pytest.mark.parametrize(
    "error", [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt()]
)
def test_what_was_there_survives_a_failure(tmp_path, error):
    path = tmp_path / "a.json"
    path.write_text("old")
    with (
        pytest.raises(OutputError if isinstance(error, OSError) else KeyboardInterrupt),
        replacing(path) as partial,
    ):
        partial.write_text("half")
        raise error
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["a.json"]


def test_a_folder_that_is_not_there(tmp_path):
    with (
        pytest.raises(OutputError, match=r"cannot write .*nowhere/a\.json: No such file"),
        replacing(tmp_path / "nowhere" / "a.json"),
    ):
        pass


def test_expand(monkeypatch):
    monkeypatch.setenv("HOME", "/home/me")
    assert str(expand("~/x")) == "/home/me/x"
    assert str(expand("~nouser/x")) == "~nouser/x"


def test_places_for_results(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert check_output("~/new.json") == tmp_path / "new.json" and not os.listdir(tmp_path)
    (tmp_path / "old.json").write_text("old")
    assert check_output(tmp_path / "old.json", overwrite=True).read_text() == "old"
    for path, overwrite, says in (
        (tmp_path, True, "is a folder"),
        ("/dev/null", True, "is no regular file"),
        (tmp_path / "old.json", False, "is there already; give --overwrite"),
        (tmp_path / "none" / "a", False, "does not exist; make it first"),
        (tmp_path / "old.json" / "a", False, "does not exist; make it first"),
        (tmp_path / ("x" * 300), False, "cannot write"),
        ("/proc/a", False, "cannot write"),
    ):
        with pytest.raises(OutputError, match=says):
            check_output(path, overwrite)
