import json
import subprocess
import sys

from dsflash_ros import cli


def dsflash(*command):
    """In a process of its own: Triton, which torch loads, crashes when it is loaded after OSMesa."""
    done = subprocess.run(
        [sys.executable, "-m", "dsflash_ros.cli", *map(str, command)],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_weights_of_the_package_see_rooms_that_they_never_saw(tmp_path):
    """Freshly rendered, at bounds far below what was measured on 500 rooms, as few rooms scatter."""
    rooms, scores = str(tmp_path / "rooms"), {}
    assert (
        cli.main(
            [
                "toyroom",
                "render",
                "--scenes",
                "12",
                "--seed",
                "77",
                "--split",
                "test",
                "--out",
                rooms,
            ]
        )
        == 0
    )
    for protocol in ("predcls", "sgdet"):
        file = tmp_path / f"{protocol}.json"
        dsflash("eval", rooms, "--protocol", protocol, "--no-speed", "--json", file)
        scores[protocol] = json.loads(file.read_text())
    panoptic = scores["sgdet"]["panoptic"]
    assert panoptic["PQ_stuff"] > 0.75 and panoptic["PQ_things"] > 0.5
    assert scores["predcls"]["relations"]["R@50"] > 0.75
    assert scores["sgdet"]["relations"]["R@50"] > 0.4
    assert scores["sgdet"]["relations"]["thresholds"]["0.5"]["precision"] > 0.5
    assert scores["sgdet"]["relations"]["calibration_error"] < 0.15

    again = tmp_path / "again.safetensors"
    printed = dsflash("weights", "calibrate", "toyroom", rooms, "--device", "cpu", "--out", again)
    assert f"written: {again}" in printed
    made = json.loads(dsflash("weights", "info", again, "--json"))["recipe"]["calibration"]
    assert 0.5 < made["slope"] < 2 and abs(made["intercept"]) < 1  # they were calibrated already
    assert made["dataset"] == "rooms/psg.json, split test: 12 images"
