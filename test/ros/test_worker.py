import threading
import time

import pytest

from dsflash_ros.ros.worker import Worker, in_background


def one_slot(load, process, **settings):
    """A worker with one slot, and the slot."""
    worker = Worker(load, **settings)
    return worker, worker.slot(process)


def test_frames_that_come_during_work_are_replaced_by_the_newest():
    seen, busy, go_on = [], threading.Event(), threading.Event()

    def process(model, frame):
        seen.append(frame)
        busy.set()
        go_on.wait(5.0)

    worker, slot = one_slot(lambda: "model", process)
    assert slot.put(1) is False
    assert busy.wait(5.0)
    assert [slot.put(frame) for frame in (2, 3, 4)] == [False, True, True]
    busy.clear()
    go_on.set()
    assert busy.wait(5.0)
    worker.stop().result(5.0)
    assert seen == [1, 4]


def test_calls_are_done_in_the_thread_before_the_next_frame():
    seen, busy, go_on = [], threading.Event(), threading.Event()

    def process(model, frame):
        seen.append(frame)
        busy.set()
        go_on.wait(5.0)

    def note(what):
        return lambda model: seen.append((what, model, threading.current_thread().name))

    worker, slot = one_slot(lambda: "model", process)
    worker.call(note("idle"))  # no frame has come
    slot.put(1)
    assert busy.wait(5.0)
    slot.put(2)
    worker.call(note("first"))
    worker.call(note("second"))
    go_on.set()
    deadline = time.monotonic() + 5
    while len(seen) < 5 and time.monotonic() < deadline:
        time.sleep(0.01)
    worker.stop().result(5.0)
    idle, first, second = ((what, "model", "inference") for what in ("idle", "first", "second"))
    assert seen == [idle, 1, first, second, 2]


def test_frame_that_waited_gives_way_to_one_that_is_due():
    seen, go_on = [], threading.Event()

    def process(model, frame):
        seen.append(frame)
        go_on.wait(5.0)

    worker, slot = one_slot(lambda: "model", process, patience_s=0.3)
    slot.put(1)
    time.sleep(0.8)
    slot.put(2)
    time.sleep(0.65)
    go_on.set()  # the third frame is due in 0.15 s
    time.sleep(0.15)
    slot.put(3)
    time.sleep(0.2)
    slot.put(4)
    time.sleep(0.2)
    worker.stop().result(5.0)
    assert seen[:2] == [1, 3]


def test_frame_is_processed_when_the_one_that_is_due_does_not_come():
    seen, go_on = [], threading.Event()

    def process(model, frame):
        seen.append(frame)
        go_on.wait(5.0)

    worker, slot = one_slot(lambda: "model", process, patience_s=0.2)
    slot.put(1)
    time.sleep(0.5)
    slot.put(2)
    time.sleep(0.4)
    go_on.set()
    time.sleep(0.6)
    worker.stop().result(5.0)
    assert seen == [1, 2]


def test_frames_before_the_model_is_there_wait_for_it():
    loading, seen = threading.Event(), []
    worker, slot = one_slot(lambda: loading.wait(5.0), lambda model, frame: seen.append(frame))
    slot.put(1)
    slot.put(2)
    assert not worker.loaded.done()
    loading.set()
    worker.loaded.result(5.0)
    while not seen:
        pass
    worker.stop().result(5.0)
    assert seen == [2]


def test_discarded_frame_is_not_processed():
    loading, seen = threading.Event(), []
    worker, slot = one_slot(lambda: loading.wait(5.0), lambda model, frame: seen.append(frame))
    assert slot.discard() is False
    slot.put(1)
    assert slot.discard() is True
    loading.set()
    worker.stop().result(5.0)
    assert seen == []


def test_discarding_while_the_worker_waits_for_the_next_frame_does_not_end_it():
    seen, go_on, done = [], threading.Event(), threading.Event()

    def process(model, frame):
        go_on.wait(5.0)
        seen.append(frame)
        if frame == 3:
            done.set()

    worker, slot = one_slot(lambda: "model", process, patience_s=10.0)
    slot.put(1)
    time.sleep(0.6)
    slot.put(2)
    time.sleep(0.5)
    go_on.set()  # the third frame is due in 0.1 s; until 0.3 s later the worker waits for it
    time.sleep(0.1)
    assert slot.discard()
    time.sleep(0.5)
    slot.put(3)
    assert done.wait(5.0)
    worker.stop().result(5.0)
    assert seen == [1, 3]


def test_slots_take_turns():
    seen, go_on = [], threading.Event()

    def process(model, frame):
        go_on.wait(5.0)
        seen.append(frame)

    worker = Worker(lambda: "model", patience_s=0.0)
    left, right = worker.slot(process), worker.slot(process)
    left.put("left 1")
    time.sleep(0.2)  # it is in work now
    left.put("left 2")
    right.put("right 1")
    right.put("right 2")
    go_on.set()
    while len(seen) < 3:
        time.sleep(0.01)
    worker.stop().result(5.0)
    assert seen == ["left 1", "right 2", "left 2"]


def test_stopping_lets_go_of_model_and_frame():
    import gc
    import weakref

    class Big:
        pass

    references, done = [], threading.Event()

    def load():
        model = Big()
        references.append(weakref.ref(model))
        return model

    def process(model, frame):
        references.append(weakref.ref(frame))
        done.set()

    worker, slot = one_slot(load, process)
    slot.put(Big())
    assert done.wait(5.0)
    worker.stop().result(5.0)
    gc.collect()
    assert worker.stopping and worker.model is None
    assert [reference() for reference in references] == [None, None]


def test_error_of_loading_is_handed_on():
    def load():
        raise ValueError("no such model")

    worker = Worker(load)
    with pytest.raises(ValueError, match="no such model"):
        worker.loaded.result(5.0)
    worker.stop().result(5.0)


def test_in_background_hands_on_result_and_error():
    assert in_background(lambda: 42, "test").result(5.0) == 42
    with pytest.raises(ZeroDivisionError):
        in_background(lambda: 1 / 0, "test").result(5.0)
