"""One thread that owns the model and always works on the newest frames."""

import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import Generic, TypeVar

Model = TypeVar("Model")
Frame = TypeVar("Frame")

PATIENCE_S = 0.015


def in_background(job: Callable[[], object], name: str) -> Future:
    """Run a job in a thread of its own; the future carries its result or error.

    The thread is a daemon, so that a long job does not keep the process alive.
    """
    future: Future = Future()

    def run() -> None:
        try:
            future.set_result(job())
        except Exception as error:
            future.set_exception(error)

    threading.Thread(target=run, name=name, daemon=True).start()
    return future


class Slot(Generic[Model, Frame]):
    """Holds the newest frame of one stream until the worker takes it. Made by `Worker.slot`.

    There is no queue: a frame that waits is replaced by the next one, so that a model slower than
    the camera never falls behind.
    """

    def __init__(
        self, changed: threading.Condition, process: Callable[[Model, Frame], None]
    ) -> None:
        self.process = process
        self.frame: Frame | None = None
        self._changed = changed
        self._arrival_s = float("-inf")
        self._period_s = float("inf")

    def put(self, frame: Frame) -> bool:
        """Hand in a frame. Returns whether it replaced one that the worker had not taken."""
        with self._changed:
            replaced = self.frame is not None
            self.frame = frame
            now_s = time.monotonic()
            interval_s, self._arrival_s = now_s - self._arrival_s, now_s
            if self._period_s == float("inf"):
                self._period_s = interval_s
            else:
                self._period_s = 0.8 * self._period_s + 0.2 * interval_s
            self._changed.notify()
        return replaced

    def discard(self) -> bool:
        """Forget the frame that waits. Returns whether there was one."""
        with self._changed:
            waited, self.frame = self.frame is not None, None
        return waited

    def worth_waiting_s(self, patience_s: float) -> float:
        """Seconds to wait for the next frame rather than start on the one that is there, or 0.

        Going by the rate so far, the next frame is due now, within `patience_s` and half the time
        between frames. A result of the present one would be older than need be by almost a period.
        """
        patience_s = min(patience_s, self._period_s / 2)
        due_s = self._arrival_s + self._period_s - time.monotonic()
        return due_s + patience_s if abs(due_s) < patience_s else 0.0


class Worker(Generic[Model]):
    """Loads a model in a thread of its own, then works on the frames of its slots, in turn.

    Args:
        load: makes the model; runs in the thread.
        patience_s: see `Slot.worth_waiting_s`.

    Attributes:
        loaded: done when the model is there; carries the error that loading raised.
        model: the model between loading and stopping.
        stopping: whether `stop` was called.
    """

    def __init__(self, load: Callable[[], Model], patience_s: float = PATIENCE_S) -> None:
        self._load = load
        self._patience_s = patience_s
        self._slots: list[Slot] = []
        self._jobs: deque[Callable[[Model], object]] = deque()
        self._changed = threading.Condition()
        self.loaded: Future = Future()
        self.model: Model | None = None
        self.stopping = False
        self._ended = in_background(self._run, "inference")

    def slot(self, process: Callable[[Model, Frame], None]) -> Slot[Model, Frame]:
        """A slot for the frames of one more stream.

        `process` works on a frame of it, in the thread. An error that it raises ends the thread.
        """
        slot: Slot[Model, Frame] = Slot(self._changed, process)
        with self._changed:
            self._slots.append(slot)
        return slot

    def call(self, job: Callable[[Model], object]) -> None:
        """Have a job done in the thread, before the next frame.

        An error that it raises ends the thread.
        """
        with self._changed:
            self._jobs.append(job)
            self._changed.notify()

    def stop(self) -> Future:
        """End the thread after the frame in work, and let go of the model.

        The future is done when the thread has ended.
        """
        with self._changed:
            self.stopping = True
            for slot in self._slots:
                slot.frame = None
            self._changed.notify()
        return self._ended

    def _run(self) -> None:
        try:
            self.model = self._load()
        except Exception as error:
            self.loaded.set_exception(error)
            return
        self.loaded.set_result(None)
        while (job := self._next_job()) is not None:
            job(self.model)
            del job  # or the frame would stay in memory until the next one comes
        self.model = None

    def _next_job(self) -> Callable[[Model], object] | None:
        """What to do with the model once there is something; None after `stop`."""
        with self._changed:
            while not self.stopping:
                if self._jobs:
                    return self._jobs.popleft()
                slot = self._next_slot()
                if slot is None:
                    self._changed.wait()
                    continue
                waiting = slot.frame
                if wait_s := slot.worth_waiting_s(self._patience_s):
                    self._changed.wait_for(
                        lambda slot=slot, waiting=waiting: (
                            self.stopping or slot.frame is not waiting
                        ),
                        timeout=wait_s,
                    )
                if slot.frame is not None:  # it may have been discarded meanwhile
                    return self._take(slot)
        return None

    def _take(self, slot: Slot) -> Callable[[Model], object]:
        self._slots.remove(slot)
        self._slots.append(slot)
        frame, slot.frame = slot.frame, None
        return lambda model: slot.process(model, frame)

    def _next_slot(self) -> Slot | None:
        """Of the slots with a frame, the one that had its turn longest ago."""
        return next((slot for slot in self._slots if slot.frame is not None), None)
