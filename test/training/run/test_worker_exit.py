import subprocess
import sys

ABANDONED = """
import os, time
from multiprocessing import resource_sharer
from multiprocessing.connection import Client
from multiprocessing.process import current_process
from dsflash_ros.training.run.worker_exit import hide_lost_connections

def abandon():
    address, _ = resource_sharer.DupFd(os.open(os.devnull, os.O_RDONLY))._id
    Client(address, authkey=current_process().authkey).close()  # the taker of the file leaves
    time.sleep(0.5)

abandon()
hide_lost_connections(0)
abandon()
raise ValueError("told")
"""


def test_a_run_that_ends_leaves_no_traceback_of_its_loading_processes():
    run = subprocess.run(
        [sys.executable, "-c", ABANDONED], capture_output=True, text=True, timeout=120
    )
    assert run.stderr.count("\nEOFError") == 1, run.stderr  # before it was told to be quiet
    assert "ValueError: told" in run.stderr
