"""What `dsflash replay --ray` says when it cannot work."""

import os
import subprocess
import sys
import time

import pytest
from places import ROOT
from recorded import BUCKET, DRIVE, GIVEN, replay
from s3fs import S3FileSystem

from dsflash_ros.fleet import cluster

pytestmark = pytest.mark.slow


def refused(capsys, out, *arguments):
    """What it says. Nothing is written."""
    assert replay(*GIVEN, *arguments, "--out", out) == 1
    assert not os.path.exists(out)
    told = capsys.readouterr().err.strip()
    assert told.startswith("dsflash replay: ") and "\n" not in told
    return told


def test_a_pattern_that_matches_nothing(tmp_path, capsys):
    told = refused(capsys, tmp_path / "out", tmp_path / "*.mcap", "--ray")
    assert f"no bag matches {tmp_path}/*.mcap" in told


@pytest.mark.parametrize(
    ("address", "sentence"),
    [
        ("127.0.0.1:1", "no Ray answers at 127.0.0.1:1 (Connection refused)"),
        ("nowhere.invalid:6379", "no Ray answers at nowhere.invalid:6379"),
        ("127.0.0.1:99999", "no Ray answers at 127.0.0.1:99999"),
        ("ray://head:10001", "ray://head:10001 is no address of Ray"),
        ("drive.mcap", "drive.mcap is no address of Ray: give auto or HOST:PORT"),
    ],
)
def test_an_address_that_does_not_answer(address, sentence, tmp_path, capsys):
    start = time.monotonic()
    assert sentence in refused(capsys, tmp_path / "out", DRIVE, "--ray", address)
    assert time.monotonic() - start < 20


def test_an_address_of_something_else(s3, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(cluster, "ANSWER_S", 6.0)
    address = s3.meta.endpoint_url.removeprefix("http://")
    told = refused(capsys, tmp_path / "out", DRIVE, "--ray", address)
    assert f"what answers at {address} is no Ray" in told


def test_no_room_for_a_model(ray_address, tmp_path, capsys):
    given = (DRIVE, "--ray", ray_address)
    told = refused(capsys, tmp_path / "out", *given, "--ray-cores", 64)
    assert "no machine of the Ray cluster has 64 cores, at most 2" in told
    told = refused(capsys, tmp_path / "out", *given, "--device", "cuda")
    assert "the Ray cluster has no GPU: give --device cpu" in told


def test_a_file_in_the_place_of_the_folder(tmp_path, capsys):
    (tmp_path / "file").touch()
    assert replay(DRIVE, "--out", tmp_path / "file", "--ray") == 1
    told = capsys.readouterr().err.strip()
    assert told.endswith("file/drive/replay.json cannot be reached: Not a directory")


def test_weights_that_are_not_there(ray_address, tmp_path, capsys):
    given = (DRIVE, "--ray", ray_address, "--ray-cores", 2, "--weights", tmp_path / "no")
    assert replay(*given, "--out", tmp_path / "out") == 1
    told = capsys.readouterr().err
    assert "dsflash replay: " in told and str(tmp_path / "no") in told and "Traceback" not in told
    assert not (tmp_path / "out").exists()


def test_a_storage_that_cannot_be_reached(s3, tmp_path, capsys, monkeypatch):
    out = tmp_path / "out"
    assert replay(DRIVE, "--out", "s3://no-such-bucket/out", *GIVEN, "--ray") == 1
    assert "dsflash replay: s3://no-such-bucket/out" in capsys.readouterr().err
    assert "s3://no-such-bucket/*" in refused(capsys, out, "s3://no-such-bucket/*", "--ray")
    told = refused(capsys, out, "nothing://drives/*", "--ray")
    assert "nothing://drives/* cannot be reached: Protocol not known: nothing" in told
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    S3FileSystem.clear_instance_cache()
    start = time.monotonic()
    told = refused(capsys, out, f"s3://{BUCKET}/elsewhere/*", "--ray")
    S3FileSystem.clear_instance_cache()
    assert "cannot be reached" in told and time.monotonic() - start < 60


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("s3://drives/*.mcap", "--out", "out"), "s3://drives/*.mcap: a URL needs --ray"),
        ((DRIVE, "--out", "s3://drives/out"), "s3://drives/out: a URL needs --ray"),
        ((DRIVE, "--out", "out", "--ray-cores", 2), "--ray-cores needs --ray"),
    ],
)
def test_wrong_usage(arguments, sentence, capsys):
    with pytest.raises(SystemExit) as end:
        replay(*arguments)
    assert end.value.code == 2 and sentence in capsys.readouterr().err


def test_without_the_extra(tmp_path):
    code = "import sys; sys.modules['ray'] = None; from dsflash_ros.cli import main; sys.exit(main"
    code += f"(['replay', 'a.mcap', '--out', {str(tmp_path / 'out')!r}, '--ray']))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 1
    assert "needs ray, which is not installed: pip install 'dsflash_ros[fleet]'" in done.stderr
