"""One thread that owns the model and always works on the newest frame."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Generic, TypeVar

Model = TypeVar("Model")
Frame = TypeVar("Frame")


def in_background(job: Callable[[], object], name: str) -> Future:
    """Run a job in a thread of its own; the future carries its result or error.

    A daemon thread, so that something long in its midst does not keep the process alive.
    """
    future: Future = Future()

    def run() -> None:
        try:
            future.set_result(job())
        except Exception as error:
            future.set_exception(error)

    threading.Thread(target=run, name=name, daemon=True).start()
    return future


class Worker(Generic[Model, Frame]):
    """Loads a model in a thread of its own, then hands it one frame after another, the newest
    first.

    There is one slot, no queue: a frame that waits is replaced by the next one, so that a model
    slower than the camera never falls behind. When the next frame is due within `patience_s`, going
    by the rate so far, the one
    that waits is not worth starting on: with it the result would be older than need be, by almost a
        frame period.

    Args:
        load: makes the model; runs in the thread.
        process: works on one frame; runs in the thread. An error that it raises ends the thread.
        patience_s: seconds; at most half the frame period is used.

    Attributes:
        loaded: done when the model is there; carries the error that loading raised.
        model: the model between loading and stopping.
        stopping: whether `stop` was called.
    """

    def __init__(
        self,
        load: Callable[[], Model],
        process: Callable[[Model, Frame], None],
        patience_s: float = 0.015,
    ) -> None:
        self._load = load
        self._process = process
        self._patience_s = patience_s
        self._frame: Frame | None = None
        self._arrival_s = float("-inf")
        self._period_s = float("inf")
        self._changed = threading.Condition()
        self.loaded: Future = Future()
        self.model: Model | None = None
        self.stopping = False
        self._ended = in_background(self._run, "inference")

    def put(self, frame: Frame) -> bool:
        """Hand in a frame. Returns whether it replaced one that nobody had looked at."""
        with self._changed:
            replaced = self._frame is not None
            self._frame = frame
            interval_s, self._arrival_s = time.monotonic() - self._arrival_s, time.monotonic()
            known = self._period_s < float("inf")
            self._period_s = 0.8 * self._period_s + 0.2 * interval_s if known else interval_s
            self._changed.notify()
        return replaced

    def discard(self) -> bool:
        """Forget the frame that waits. Returns whether there was one."""
        with self._changed:
            waited, self._frame = self._frame is not None, None
        return waited

    def stop(self) -> Future:
        """End the thread after the frame in work and let go of the model; the future is done when
        it has ended.
        """
        with self._changed:
            self.stopping = True
            self._frame = None
            self._changed.notify()
        return self._ended

    def _run(self) -> None:
        try:
            self.model = self._load()
        except Exception as error:
            self.loaded.set_exception(error)
            return
        self.loaded.set_result(None)
        while (frame := self._next_frame()) is not None:
            self._process(self.model, frame)
            del frame  # or it would stay in memory until the next one comes
        self.model = None

    def _next_frame(self) -> Frame | None:
        with self._changed:
            self._changed.wait_for(lambda: self.stopping or self._frame is not None)
            waiting, patience_s = self._frame, min(self._patience_s, self._period_s / 2)
            due_s = self._arrival_s + self._period_s - time.monotonic()
            if abs(due_s) < patience_s:
                self._changed.wait_for(
                    lambda: self.stopping or self._frame is not waiting, due_s + patience_s
                )
            frame, self._frame = self._frame, None
        return None if self.stopping else frame
