"""`dsflash view`: in a real browser, to a file, and what it says when something is missing."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from contextlib import contextmanager

import cv2
import numpy as np
import pytest
from media_files import picture, write_image
from places import ROOT
from run_command import lines_of, run

pytest.importorskip("rerun", reason="needs rerun-sdk")

from rerun_files import free_port, recorded

from dsflash_ros.cli import main

pytestmark = pytest.mark.slow

DRIVE = ROOT / "examples" / "drive"

WEBGL = ["--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"]
"""Chromium draws the viewer without a GPU."""


def view(*arguments):
    return main(["view", *map(str, arguments)])


def fails(capsys, *arguments):
    """The sentence with which the command fails."""
    capsys.readouterr()
    assert view(*arguments) == 1
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith("dsflash view: ")
    return last


def refused(capsys, *arguments):
    """The sentence with which wrong usage is refused."""
    with pytest.raises(SystemExit) as end:
        view(*arguments)
    assert end.value.code == 2
    return capsys.readouterr().err.splitlines()[-1]


def test_a_file_says_the_same_as_run(tmp_path, capsys):
    options = ("--track", "--target-frame", "map", "--limit", "2")
    assert view(DRIVE, "--save", tmp_path / "a.rrd", *options) == 0
    assert f"written: {tmp_path / 'a.rrd'}" in capsys.readouterr().out
    assert run(DRIVE, "--out", tmp_path, "--no-overlay", *options) == 0
    rows, lines = recorded(tmp_path / "a.rrd"), lines_of(tmp_path)
    assert len(lines) == 2
    for number, line in enumerate(lines):
        things = [node for node in line["nodes"] if node["is_thing"]]
        names = [f"{node['label']}_{node['track_id']}" for node in things]
        assert rows["scene/camera/things"][number]["Boxes2D:labels"] == names
        placed = [node["position"] for node in things if node["position"]]
        shown = rows["scene/objects"][number]["Boxes3D:centers"]
        np.testing.assert_allclose(shown, placed, atol=1e-3)
        assert len(rows["graph"][number]["GraphEdges:edges"]) == 2 * len(line["relations"])
        assert rows["graph"][number]["stamp"] == pytest.approx(1e9 * line["stamp"], abs=1000)
        assert "Pinhole:image_from_camera" in rows["scene/camera"][number]


def test_images_go_by_their_number(tmp_path):
    for name in ("a", "b"):
        write_image(tmp_path / f"{name}.png", picture(60, 80))
    assert view(tmp_path, "--save", tmp_path / "a.rrd", "--weights", "random-tiny") == 0
    rows = recorded(tmp_path / "a.rrd")
    assert [row["number"] for row in rows["graph"]] == [1, 2]
    assert len(rows["scene/camera/image"]) == 2


def test_wrong_usage_is_refused(capsys):
    assert "--track goes with a SOURCE" in refused(capsys, "--track")
    assert "--graphs is of a running node" in refused(capsys, DRIVE, "--graphs", "x")
    assert "--target-frame goes with --track" in refused(capsys, DRIVE, "--target-frame", "map")


def test_what_cannot_be_is_told(tmp_path, capsys):
    assert "'nowhere' is not there" in fails(capsys, "nowhere", "--save", tmp_path / "a.rrd")
    (tmp_path / "there.rrd").write_text("mine")
    assert "give --overwrite" in fails(capsys, DRIVE, "--save", tmp_path / "there.rrd")
    assert (tmp_path / "there.rrd").read_text() == "mine"
    listen = ("--weights", "random-tiny", "--listen", "everywhere")
    assert "'everywhere' is no address" in fails(capsys, DRIVE, *listen)
    assert ". is a folder; give a file name" in fails(capsys, DRIVE, "--save", "")
    assert "no name for a topic: " in fails(capsys, "--topic", "")
    assert "no name for a topic: " in fails(capsys, "--graphs", "")
    assert sorted(one.name for one in tmp_path.iterdir()) == ["there.rrd"]


def test_a_full_disk_is_not_called_written(tmp_path):
    """Files of the child process may have 1 MB, as on a disk that is full then."""
    arguments = ["view", DRIVE, "--save", str(tmp_path / "a.rrd"), "--weights", "random-tiny"]
    program = f"""
import resource, signal, sys
from dsflash_ros.cli import main
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))
sys.exit(main({[str(argument) for argument in arguments]!r}))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 1 and "cannot write to" in done.stderr
    assert "nothing is kept" in done.stdout and "written: " not in done.stdout
    assert list(tmp_path.iterdir()) == []


def test_without_rerun_it_says_what_to_install(capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "rerun", None)
    assert "pip install 'dsflash_ros[view]'" in fails(capsys, DRIVE)


@contextmanager
def viewing(log, *arguments):
    """A process of `dsflash view` with a page, once all is shown, and the file of what it says."""
    command = [sys.executable, "-u", "-m", "dsflash_ros.cli", "view", *map(str, arguments)]
    screens = ("DISPLAY", "WAYLAND_DISPLAY")
    blind = {name: value for name, value in os.environ.items() if name not in screens}
    with log.open("w") as output:
        command += ["--port", str(free_port())]
        process = subprocess.Popen(command, stdout=output, stderr=output, env=blind)
    try:
        end = time.monotonic() + 60
        while "Ctrl-C ends it" not in log.read_text():
            assert process.poll() is None and time.monotonic() < end, log.read_text()
            time.sleep(0.1)
        yield process, log
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


@pytest.fixture(scope="module")
def viewed(tmp_path_factory):
    """`dsflash view` of three frames in space."""
    log = tmp_path_factory.mktemp("view") / "output.txt"
    with viewing(log, DRIVE, "--limit", 3, "--track", "--target-frame", "map") as process_and_log:
        yield process_and_log


def test_the_page_shows_it_in_a_browser(viewed, tmp_path):
    """What is on the canvas has many colours, those of the image among them."""
    playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright")
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        pytest.skip("there is no Chromium here")
    _, log = viewed
    assert "no browser can be opened here: open that page in one" in log.read_text()
    [page_address] = re.findall(r"look at (http://127\.0\.0\.1:\S+)", log.read_text())
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=path, args=["--no-sandbox", *WEBGL])
        page = browser.new_page(viewport={"width": 1000, "height": 700}, color_scheme="dark")
        page.goto(page_address, timeout=120_000)
        end, colours = time.monotonic() + 120, {}
        while not is_drawn(colours) and time.monotonic() < end:
            page.wait_for_timeout(1000)
            shot = page.screenshot(timeout=120_000)
            colours = areas(cv2.imdecode(np.frombuffer(shot, np.uint8), cv2.IMREAD_COLOR))
        browser.close()
    (tmp_path / "seen.png").write_bytes(shot)  # kept when this fails
    assert is_drawn(colours), colours


def areas(image):
    """How many colours parts of the window have; the image is on the left, space and graph not."""
    height, width = image.shape[:2]
    parts = {
        "image": image[: height // 2, : width // 2],
        "space": image[40 : height // 2, width // 2 :],
        "graph": image[height * 6 // 10 : height * 9 // 10, width // 2 :],
        "plots": image[height * 8 // 10 : height * 9 // 10, : width // 2],
    }
    return {name: len(np.unique(part.reshape(-1, 3), axis=0)) for name, part in parts.items()}


def is_drawn(colours):
    return bool(colours) and colours["image"] > 4000 and min(colours.values()) > 30


def test_ctrl_c_ends_it(viewed):
    process, log = viewed
    start = time.monotonic()
    process.send_signal(signal.SIGINT)
    assert process.wait(20) == 0 and time.monotonic() - start < 10
    assert "Traceback" not in log.read_text()
    assert "3 frames in" in log.read_text()


def test_the_page_stays_when_one_of_several_sources_cannot_be_used(tmp_path):
    write_image(tmp_path / "a.png", picture())
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad/b.png").write_bytes((tmp_path / "a.png").read_bytes()[:300])
    with viewing(tmp_path / "log", tmp_path / "bad", tmp_path / "a.png") as (process, log):
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 1
    assert "\n1 frames in" in log.read_text()
    assert log.read_text().splitlines()[-1].endswith("1 of 2 sources could not be used")
