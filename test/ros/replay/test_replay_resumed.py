"""Replays that are interrupted, go on, or begin anew."""

import json
import random
import shutil
import subprocess
import sys
import time

import pytest

pytest.importorskip("dsflash_ros.msg", reason="needs rclpy and the generated messages")

from filelock import FileLock
from replays import DRIVE, QUICK, lines, messages, replay

pytestmark = pytest.mark.slow

_PARTS_OF_THREE = """
import sys
import dsflash_ros.ros.replay.bag_replay as replay
from dsflash_ros.cli import main
replay.PART = 3
sys.exit(main(["replay", *sys.argv[1:]]))
"""


def in_parts(out, *arguments):
    """The command as a process of its own, with parts of three images."""
    given = (DRIVE, "--out", out, "--end", 2, "--target-frame", "map", "--no-latency", *QUICK)
    command = [sys.executable, "-c", _PARTS_OF_THREE, *map(str, (*given, *arguments))]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def finish(process):
    told, _ = process.communicate(timeout=120)
    assert process.returncode == 0, told
    return told


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    out = tmp_path_factory.mktemp("whole")
    start = time.monotonic()
    finish(in_parts(out))
    return out / "drive", time.monotonic() - start


def test_killed_at_any_moment_it_ends_up_the_same(whole, tmp_path):
    folder, seconds = whole
    moments = random.Random(5)
    for _ in range(2):
        process = in_parts(tmp_path)
        time.sleep(seconds * moments.uniform(0.5, 0.9))
        process.kill()
        process.wait()
    told = finish(in_parts(tmp_path))
    assert "12 graphs" in told or "complete already" in told
    assert messages(tmp_path / "drive" / "bag") == messages(folder / "bag")
    assert lines(tmp_path / "drive") == lines(folder)


def test_two_replays_give_the_same_bytes(whole, tmp_path):
    folder, _ = whole
    out = tmp_path / "again"
    assert (
        replay(DRIVE, "--out", out, "--end", 2, "--target-frame", "map", "--no-latency", *QUICK)
        == 0
    )
    assert messages(out / "drive" / "bag") == messages(folder / "bag")
    assert len(list((folder / "bag").glob("*.mcap"))) == 4
    assert len(list((out / "drive" / "bag").glob("*.mcap"))) == 1


def test_a_finished_one_stays_and_other_settings_are_refused(whole, tmp_path, capsys):
    out = tmp_path / "copy"
    shutil.copytree(whole[0].parent, out)
    given = (DRIVE, "--out", out, "--target-frame", "map", "--no-latency", *QUICK)
    assert replay(*given, "--end", 2) == 0
    assert "is complete already" in capsys.readouterr().out
    assert replay(*given, "--end", 3) == 1
    assert "was made with other settings (end)" in capsys.readouterr().err
    assert replay(*given, "--end", 1, "--overwrite") == 0
    assert len(lines(out / "drive")) == 6


def test_one_without_a_graph_does_not_keep_the_folder(tmp_path, capsys):
    assert replay(DRIVE, "--out", tmp_path, "--start", 100, *QUICK) == 1
    assert "could be used" in capsys.readouterr().err
    assert [path for path in (tmp_path / "drive").iterdir() if path.name[0] != "."] == []
    assert replay(DRIVE, "--out", tmp_path, "--start", 1, "--end", 1.3, *QUICK) == 0
    assert len(lines(tmp_path / "drive")) == 2


def test_one_that_was_killed_before_its_first_part_does_not_keep_the_folder(tmp_path):
    folder = tmp_path / "drive"
    (folder / "parts" / ".partial").mkdir(parents=True)
    note = {"settings": {"start": 100.0}, "complete": False}
    (folder / "replay.json").write_text(json.dumps(note))
    assert replay(DRIVE, "--out", tmp_path, "--start", 1, "--end", 1.3, *QUICK) == 0
    assert len(lines(folder)) == 2 and not (folder / "parts").exists()
    assert json.loads((folder / "replay.json").read_text())["settings"]["start"] == 1.0


def test_two_processes_do_not_write_one_folder(whole, tmp_path, capsys):
    out = tmp_path / "copy"
    shutil.copytree(whole[0].parent, out)
    with FileLock(out / "drive" / ".lock"):
        assert replay(DRIVE, "--out", out, "--end", 2, *QUICK) == 1
    assert "another process is writing" in capsys.readouterr().err
