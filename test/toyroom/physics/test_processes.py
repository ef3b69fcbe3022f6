import multiprocessing
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from dsflash_ros.errors import OutputError, ToyroomError
from dsflash_ros.toyroom.physics.processes import in_processes


def threads_and_more(number, more):
    return number, more, os.getpid(), os.environ["OMP_NUM_THREADS"]


def fail(number):
    if number == 1:
        raise OutputError("the disk is full")
    time.sleep(0.01)


def die(number):
    os.kill(os.getpid(), signal.SIGKILL)


def sleep(seconds):
    time.sleep(seconds)
    return os.getpid()


def test_all_results_come_from_processes_of_one_thread(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    results = list(in_processes(threads_and_more, [(number, "x") for number in range(5)], 2))
    assert sorted(number for number, *_ in results) == list(range(5))
    assert {(more, threads) for _, more, _, threads in results} == {("x", "1")}
    assert os.getpid() not in {process for _, _, process, _ in results}
    assert os.environ["OMP_NUM_THREADS"] == "7"


def test_the_first_error_ends_the_others():
    with pytest.raises(OutputError, match="the disk is full"):
        list(in_processes(fail, [(number % 4,) for number in range(3000)], 1))
    assert not multiprocessing.active_children()


def test_a_killed_process_is_one_sentence_not_a_hang():
    with pytest.raises(ToyroomError, match="one of the processes was killed"):
        list(in_processes(die, [(number,) for number in range(4)], 2))
    assert not multiprocessing.active_children()


def test_closing_the_iterator_does_not_wait_for_tasks():
    results = in_processes(sleep, [(0,), (60,), (60,)], 2)
    assert next(results) != os.getpid()
    start = time.monotonic()
    results.close()
    assert time.monotonic() - start < 5
    assert not multiprocessing.active_children()


def test_processes_end_with_the_one_that_started_them():
    program = (
        "from dsflash_ros.toyroom.physics.processes import in_processes\n"
        "from test_processes import sleep\n"
        "for process in in_processes(sleep, [(0,), (60,)], 1): print(process, flush=True)"
    )
    folders = [str(Path(__file__).parent), *filter(None, [os.environ.get("PYTHONPATH")])]
    with subprocess.Popen(
        [sys.executable, "-c", program],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(folders)},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as parent:
        child = psutil.Process(int(parent.stdout.readline()))
        parent.kill()
        end = time.monotonic() + 10
        with suppress(psutil.NoSuchProcess):
            while child.status() != psutil.STATUS_ZOMBIE:  # so it stays if nobody reaps orphans
                assert time.monotonic() < end
                time.sleep(0.05)
