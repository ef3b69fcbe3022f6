"""Work spread over processes that end with the one that started them, however that ends."""

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
"""NumPy's, and llvmpipe's that OSMesa and EGL draw with where no GPU is: the processes are as many
as the cores.
"""


def in_processes(
    task: Callable[..., Result], calls: Iterable[tuple], workers: int
) -> Iterator[Result]:
    """The results of `task(*call)` for all calls, each as soon as it is there; the first exception
    ends them all.

    `task`, arguments and results must pickle. Abandoned between two results, as by an interrupt,
    the processes end at once, amidst their tasks.

    Raises:
        ToyroomError: a process was killed.
    """
    context = multiprocessing.get_context("spawn")  # after a fork GL would not work
    theirs, ours = context.Pipe(duplex=False)
    with theirs, ours, ProcessPoolExecutor(workers, context, _end_with, (theirs,)) as executor:
        try:
            with _environment(_ONE_THREAD), _without_interrupts():
                futures = [executor.submit(task, *call) for call in calls]
            for future in as_completed(futures):
                yield future.result()
        except BrokenProcessPool as error:
            raise ToyroomError(
                "one of the processes was killed, maybe for want of memory: the same command goes on where it ended; "
                "fewer --workers need less"
            ) from error
        finally:
            ours.close()
            executor.shutdown(cancel_futures=True)


def _end_with(parent: connection.Connection) -> None:
    """Run in each process at its start: it will end when nobody holds the other end of the pipe any
    more.
    """

    def watch() -> None:
        connection.wait([parent])
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


@contextmanager
def _environment(variables: dict[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})


@contextmanager
def _without_interrupts() -> Iterator[None]:
    """Processes started within never get a Ctrl-C, which a terminal sends to all; ours comes when
    the block ends.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
