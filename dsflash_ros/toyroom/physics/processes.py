"""Work in several processes, which end when the one that started them ends, however it ends."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import connection
from typing import TypeVar

from dsflash_ros.errors import ToyroomError

Result = TypeVar("Result")

_ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "LP_NUM_THREADS": "0"}
"""One thread per process, for NumPy and for llvmpipe, with which OSMesa and EGL render on a CPU.

There usually are as many processes as cores.
"""


def in_processes(
    task: Callable[..., Result], calls: Iterable[tuple], workers: int
) -> Iterator[Result]:
    """Yield the results of `task(*call)` for all calls, each as soon as it is ready.

    `task`, its arguments and its results must be picklable. When the first task raises an
    exception, or when the iterator is closed, as by an interrupt, the processes end at once, in the
    middle of their tasks.

    Raises:
        ToyroomError: a process was killed.
    """
    context = multiprocessing.get_context("spawn")  # OpenGL does not work after a fork
    theirs, ours = context.Pipe(duplex=False)
    with theirs, ours, ProcessPoolExecutor(workers, context, _end_with, (theirs,)) as executor:
        try:
            with _environment(_ONE_THREAD), _without_interrupts():
                futures = [executor.submit(task, *call) for call in calls]
            for future in as_completed(futures):
                yield future.result()
        except BrokenProcessPool as error:
            raise ToyroomError(
                "one of the processes was killed, maybe for want of memory: the same command goes "
                "on where it ended; fewer --workers need less"
            ) from error
        finally:
            ours.close()
            executor.shutdown(cancel_futures=True)


def _end_with(parent: connection.Connection) -> None:
    """End this process when nobody holds the other end of the pipe any more.

    Each process calls it when it starts.
    """

    def watch() -> None:
        connection.wait([parent])
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


@contextmanager
def _environment(variables: dict[str, str]) -> Iterator[None]:
    """Set environment variables for a while."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@contextmanager
def _without_interrupts() -> Iterator[None]:
    """Let processes that are started in this block ignore Ctrl-C, which terminals send to all.

    This process gets a Ctrl-C when the block ends.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
