"""`dsflash replay --ray`: it gives what one process gives, whatever is lost on the way."""

import subprocess
import sys
import time

import pytest
from lost import kill_the_next
from places import ROOT
from recorded import DRIVE, GIVEN, assert_same, replay

pytestmark = pytest.mark.slow


def test_split_it_is_the_same_and_a_broken_bag_does_not_keep_the_others(
    ray_address, unsplit, tmp_path, capsys, caplog, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bags").mkdir()
    (tmp_path / "bags" / "drive").symlink_to(DRIVE)
    (tmp_path / "bags" / "bad.mcap").write_bytes(b"nonsense")
    out = tmp_path / "out"
    assert replay("bags/*", "--out", "out", *GIVEN, "--ray", ray_address) == 1
    assert_same(out / "drive", unsplit)
    assert "bad.mcap cannot be read" in caplog.text
    assert "1 of 2 bags could not be replayed" in caplog.text
    assert f"18 graphs of {tmp_path}/bags/drive in {out}/drive" in capsys.readouterr().out
    assert [path.name for path in out.iterdir()] == ["drive"]

    before = {path: path.stat().st_mtime_ns for path in out.rglob("*")}
    nobody = "127.0.0.1:1"
    assert replay(tmp_path / "bags" / "d*", "--out", out, *GIVEN, "--ray", nobody) == 0
    assert f"{out}/drive is complete already" in capsys.readouterr().out
    assert {path: path.stat().st_mtime_ns for path in out.rglob("*")} == before
    (out / "broken").mkdir()
    (out / "broken" / "replay.json").write_text("{")
    (tmp_path / "bags" / "broken").symlink_to(DRIVE)
    assert replay(tmp_path / "bags" / "*n", "--out", out, *GIVEN, "--ray", nobody) == 1
    assert f"{out}/broken/replay.json cannot be read" in caplog.text
    other = ("--ray", nobody, "--stride", 2)
    assert replay(tmp_path / "bags" / "d*", "--out", out, *GIVEN, *other) == 1
    assert "was made with other settings (stride)" in caplog.text


def test_lost_processes_lose_and_double_nothing(ray_address, unsplit, tmp_path):
    command = [sys.executable, "-m", "dsflash_ros.cli", "replay", str(DRIVE), "--out"]
    command += [str(tmp_path), *GIVEN, "--ray", ray_address]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=ROOT)
    try:
        kill_the_next("ray::ModelWorker.graphs")
        time.sleep(1)
        kill_the_next("ray::replay_job")
        kill_the_next("ray::ModelWorker.graphs")
        _, told = process.communicate(timeout=120)
    finally:
        process.kill()
    assert process.returncode == 0, told
    assert_same(tmp_path / "drive", unsplit)


def test_the_process_of_a_bag_does_without_torch():
    code = "import sys, dsflash_ros.fleet.bag_task; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0
