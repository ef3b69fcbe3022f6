"""Processes of a fleet that are lost."""

import os
import signal
import time

import psutil


def kill_the_next(title):
    """Kill -9 a process of this title as soon as there is one."""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        for process in psutil.process_iter(["cmdline"]):
            if (process.info["cmdline"] or [""])[0] == title:
                os.kill(process.pid, signal.SIGKILL)
                return
        time.sleep(0.05)
    raise AssertionError(f"no process {title} came")
