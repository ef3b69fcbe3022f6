"""How long work tells how far it is."""

import fcntl
import logging
import os
import pty
import struct
import subprocess
import sys
import termios

import pytest

from dsflash_ros import progress_bar
from dsflash_ros.progress_bar import progress


@pytest.fixture
def lines(monkeypatch, caplog):
    """Run through `items` with a clock that stands at these seconds; the log lines."""

    def run(items, seconds, *arguments, **settings):
        clock = iter([0.0, *map(float, seconds)])
        monkeypatch.setattr(progress_bar.time, "monotonic", lambda: next(clock))
        with caplog.at_level(logging.INFO):
            assert list(progress(items, *arguments, **settings)) == list(items)
        monkeypatch.undo()
        return [record.getMessage() for record in caplog.records]

    return run


def test_short_work_is_silent(lines):
    assert lines(range(5), [0, 1, 2, 3, 14.9], "clip.mp4", 5) == []


def test_lines_come_with_growing_gaps_and_say_what_is_left(lines):
    """One item is done every 10 s."""
    assert lines(range(20), range(0, 200, 10), "clip.mp4", 20) == [
        "clip.mp4: 2 of 20 frames, 0.1 a second, 3 min 00 s left",
        "clip.mp4: 5 of 20 frames, 0.1 a second, 2 min 30 s left",
        "clip.mp4: 11 of 20 frames, 0.1 a second, 1 min 30 s left",
        "clip.mp4: 17 of 20 frames, 0.1 a second, 30 s left",
    ]


def test_work_without_a_known_end(lines):
    assert lines(range(3), [0, 1, 16], "camera 0", unit="image") == [
        "camera 0: 2 images, 0.125 a second"
    ]


def test_work_that_goes_on(lines):
    assert lines(range(3), [0, 10, 20], "rendering", 100, "scene", before=78) == [
        "rendering: 80 of 100 scenes, 0.1 a second, 3 min 20 s left"
    ]


def test_units_in_the_plural(lines):
    assert lines(range(2), [0, 20], "caching", 3, "batch") == [
        "caching: 1 of 3 batches, 0.05 a second, 40 s left"
    ]


def test_nothing_to_do(lines):
    assert lines([], [], "caching", 0, "batch") == []


def test_hours(lines):
    assert lines(range(2), [0, 36], "rooms", 201, "room") == [
        "rooms: 1 of 201 rooms, 0.0278 a second, 2 h 00 min left"
    ]


def test_on_a_terminal_there_is_a_bar_and_warnings_do_not_break_it():
    program = (
        "import logging; from dsflash_ros.progress_bar import progress\n"
        "logging.basicConfig(format='said: %(message)s')\n"
        "for item in progress(range(7), 'clip.mp4', 7): logging.warning('item %d', item)"
    )
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 100, 0, 0))
    try:
        subprocess.run([sys.executable, "-c", program], stderr=theirs, check=True, timeout=60)
        shown = os.read(ours, 1 << 16).decode()
    finally:
        os.close(ours)
        os.close(theirs)
    assert "clip.mp4: 100%" in shown and "7/7" in shown and "frame/s" in shown
    assert all(f"\rsaid: item {item}" in shown for item in range(7))
