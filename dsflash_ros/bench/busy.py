"""Programs that keep a core busy, for `dsflash bench load`.

python -m dsflash_ros.bench.busy PROGRAM NICENESS PARENT

PROGRAM is `loop` or `training`. The process says "ready" when it is busy, and is killed when the
process PARENT, which started it, ends, however that ends.
"""

import ctypes
import os
import signal
import subprocess
import sys

from dsflash_ros.errors import DSFlashError

PROGRAMS = ("loop", "training")

_PR_SET_PDEATHSIG = 1  # of Linux's prctl.h


class BusyProgram:
    """A child process that keeps a core busy while it is not paused. A context that ends it."""

    def __init__(self, program: str, niceness: int) -> None:
        command = [sys.executable, "-m", __name__, program, str(niceness), str(os.getpid())]
        # in a session of its own, so that Ctrl-C reaches only the process that ends this one
        self._process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, start_new_session=True
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
        """Wait until it is busy, then pause it. Raises `DSFlashError` when it ended instead."""
        if self._process.stdout.readline() != b"ready\n":
            raise DSFlashError("a busy program of the benchmark ended; see what it said above")
        self._cores = os.sched_getaffinity(self.pid)
        self.pause()

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
    """Have the kernel kill this process when the one that started it ends. Linux only."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it ended before it could be watched
        sys.exit()


def _loop() -> None:
    print("ready", flush=True)
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
    is_ready = False
    while True:
        loss = (model(images) - images).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if not is_ready:
            print("ready", flush=True)
            is_ready = True


if __name__ == "__main__":
    main()
