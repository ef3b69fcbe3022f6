"""`dsflash eval --ray`: it gives what one process gives, whatever is lost on the way."""

import json
import subprocess
import sys
import time

import pytest
from lost import kill_the_next
from places import ROOT
from recorded import BUCKET, DRIVE

from dsflash_ros.cli import main

pytestmark = pytest.mark.slow

QUICK = ("--device", "cpu", "--precision", "bfloat16", "--limit", "24")
GIVEN = (*QUICK, "--target-frame", "map")
NOBODY = "127.0.0.1:1"


def evaluate(*arguments, given=GIVEN):
    return main(["eval", *map(str, arguments), *given])


def scores(content):
    """A report without what differs from run to run."""
    report = json.loads(content)
    for key in ("machine", "latency_ms", "dataset", "settings"):
        report.pop(key)
    return report


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """The scores by this process, with one thread as a model of a fleet has it."""
    out = tmp_path_factory.mktemp("alone")
    assert evaluate(DRIVE, "--out", out, "--threads", 1) == 0
    found = scores((out / "drive.json").read_text())
    assert found["options"].pop("threads", 1) == 1
    assert len(found["images"]) == found["tracking"]["frames"] == 24
    assert found["relations"]["mR@50"] > 0.3 and found["panoptic"]["PQ"] > 0.5
    return found


def test_split_it_is_the_same_and_a_broken_bag_does_not_keep_the_others(
    ray_address, alone, tmp_path, capsys, caplog
):
    bags, out = tmp_path / "bags", tmp_path / "out"
    bags.mkdir()
    (bags / "drive").symlink_to(DRIVE)
    (bags / "bad.mcap").write_bytes(b"nonsense")
    total = tmp_path / "all.json"
    assert evaluate(bags / "*", "--out", out, "--json", total, "--ray", ray_address) == 1
    assert "bad.mcap cannot be read" in caplog.text
    assert "1 of 2 bags could not be evaluated" in caplog.text
    assert [path.name for path in out.iterdir()] == ["drive.json"]
    assert scores((out / "drive.json").read_text()) == alone
    assert scores(total.read_text())["tracking"] == alone["tracking"]

    before = (out / "drive.json").stat().st_mtime_ns
    told = capsys.readouterr().out
    assert evaluate(bags / "d*", "--out", out, "--ray", NOBODY) == 0
    assert capsys.readouterr().out.splitlines()[-2:] == told.splitlines()[-3:-1]
    assert (out / "drive.json").stat().st_mtime_ns == before
    other = ("--ray", NOBODY, "--mask-threshold", 0.5)
    assert evaluate(bags / "d*", "--out", out, *other) == 1
    assert "was made with other settings (options)" in caplog.text


def test_true_segments_are_given_to_the_models(ray_address, tmp_path):
    what = (DRIVE, "--protocol", "predcls")
    one, split = ("--out", tmp_path / "one"), ("--out", tmp_path / "ray")
    assert evaluate(*what, *one, "--threads", 1, given=QUICK) == 0
    assert evaluate(*what, *split, "--ray", ray_address, given=QUICK) == 0
    one, split = (scores((tmp_path / n / "drive.json").read_text()) for n in ("one", "ray"))
    assert one == split and one["relations"]["mR@50"] > 0.5 and one["tracking"] is None


def test_lost_processes_lose_and_double_nothing(ray_address, alone, tmp_path):
    command = [sys.executable, "-m", "dsflash_ros.cli", "eval", str(DRIVE), "--out"]
    command += [str(tmp_path), *GIVEN, "--ray", ray_address]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=ROOT)
    try:
        kill_the_next("ray::ModelWorker.predictions")
        time.sleep(1)
        kill_the_next("ray::evaluate_job")
        kill_the_next("ray::ModelWorker.predictions")
        _, told = process.communicate(timeout=120)
    finally:
        process.kill()
    assert process.returncode == 0, told
    assert scores((tmp_path / "drive.json").read_text()) == alone


def test_from_s3_to_s3(ray_address, s3, alone, capsys, caplog):
    for path in DRIVE.iterdir():
        s3.upload_file(str(path), BUCKET, f"given/monday/drive/{path.name}")
    given = (f"s3://{BUCKET}/given/*/drive", "--out", f"s3://{BUCKET}/scores")
    assert evaluate(*given, "--ray", ray_address) == 0
    stored = s3.get_object(Bucket=BUCKET, Key="scores/monday/drive.json")["Body"].read()
    assert scores(stored) == alone
    assert json.loads(stored)["dataset"]["name"] == f"s3://{BUCKET}/given/monday/drive"
    assert evaluate(*given, "--ray", NOBODY) == 0
    key = "given/monday/drive/metadata.yaml"
    body = (DRIVE / "metadata.yaml").read_bytes() + b"\n"
    s3.put_object(Bucket=BUCKET, Key=key, Body=body)
    assert evaluate(*given, "--ray", NOBODY) == 1
    assert "was made with other settings (content)" in caplog.text


def test_what_cannot_work(ray_address, tmp_path, capsys):
    out = ("--out", tmp_path / "out")
    for given, sentence in (
        ((tmp_path / "*.mcap", "--ray"), f"no bag matches {tmp_path}/*.mcap"),
        ((DRIVE, "--ray", NOBODY), f"no Ray answers at {NOBODY}"),
        ((DRIVE, "--ray", ray_address, "--ray-cores", 64), "has 64 cores, at most 2"),
        ((DRIVE, "--ray", ray_address, "--weights", "no.safetensors"), "no.safetensors"),
    ):
        assert evaluate(*given, *out) == 1
        told = capsys.readouterr().err.strip()
        assert told.startswith("dsflash eval: ") and "\n" not in told and sentence in told
        assert not (tmp_path / "out").exists()
