"""Programs that keep a core busy, for `dsflash bench load`.

python -m dsflash_ros.bench.busy PROGRAM NICENESS PARENT

PROGRAM is `loop` or `training`. The process says "ready" and pauses before it gets busy. It is
killed when the process PARENT, which started it, ends, however that ends.
"""

import ctypes
import os
import signal
import subprocess
import sys
from pathlib import Path

from dsflash_ros.errors import DSFlashError

PROGRAMS = ("loop", "training")

AUTOGROUP = Path("/proc/sys/kernel/sched_autogroup_enabled")

_PR_SET_PDEATHSIG = 1  # of Linux's prctl.h


def own_groups_are_scheduled() -> bool:
    """Whether the kernel shares time among sessions first, then among the programs of each."""
    try:
        return AUTOGROUP.read_text().strip() == "1"
    except OSError:
        return False


class BusyProgram:
    """A child process that keeps a core busy while it is not paused. A context that ends it.

    Args:
        program: one of `PROGRAMS`.
        niceness: 0 to 19.
        is_apart: in a session of its own. To the scheduler that is what another container or
            service is: a group whose share does not depend on how many threads it has.
    """

    def __init__(self, program: str, niceness: int, is_apart: bool = False) -> None:
        command = [sys.executable, "-m", __name__, program, str(niceness), str(os.getpid())]
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            start_new_session=is_apart,
        )
        self.pid = self._process.pid
        self._cores: set[int] = set()

    def __enter__(self) -> "BusyProgram":
        return self

    def __exit__(self, *_) -> None:
        self._process.kill()  # paused or not
        self._process.wait()
        self._process.stdout.close()

    def wait_until_ready(self) -> None:
        """Wait until it has paused. Raises `DSFlashError` when it ended instead."""
        if self._process.stdout.readline() != b"ready\n":
            raise DSFlashError("a busy program of the benchmark ended; see what it said above")
        os.waitid(os.P_PID, self.pid, os.WSTOPPED)
        self._cores = os.sched_getaffinity(self.pid)

    def go_on(self, is_pinned: bool) -> None:
        """Be busy: on any core, or on the first one only."""
        cores = {min(self._cores)} if is_pinned else self._cores
        os.sched_setaffinity(self.pid, cores)
        os.kill(self.pid, signal.SIGCONT)

    def pause(self) -> None:
        """Use no more time until `go_on`."""
        os.kill(self.pid, signal.SIGSTOP)


def main() -> None:
    """Be busy until killed."""
    program, niceness, parent = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    end_with(parent)
    os.nice(niceness)
    {"loop": _loop, "training": _train}[program]()


def end_with(parent: int) -> None:
    """Have the kernel kill this process when the one that started it ends. Linux only.

    Ctrl-C is for that one alone: this process is in a group of its own from here on. (`Popen` could
    see to that with a `preexec_fn`, but a Ctrl-C while it runs is lost to the parent.)
    """
    if os.getsid(0) != os.getpid():
        os.setpgrp()
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it ended before it could be watched
        sys.exit()


def _pause_when_ready() -> None:
    print("ready", flush=True)
    os.kill(os.getpid(), signal.SIGSTOP)


def _loop() -> None:
    _pause_when_ready()
    while True:
        pass


def _train() -> None:
    """Training of a small network on random numbers, in one thread."""
    import torch

    torch.set_num_threads(1)
    layers = [torch.nn.Linear(512, 512) if i % 2 == 0 else torch.nn.GELU() for i in range(7)]
    model = torch.nn.Sequential(*layers)
    optimizer = torch.optim.AdamW(model.parameters())
    images = torch.randn(256, 512)
    _pause_when_ready()
    while True:
        loss = (model(images) - images).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


if __name__ == "__main__":
    main()
