import threading
import time

import pytest

from dsflash_ros.ros.worker import Worker, in_background


def test_frames_that_come_during_work_are_replaced_by_the_newest():
    seen, busy, go_on = [], threading.Event(), threading.Event()

    def process(model, frame):
        seen.append(frame)
        busy.set()
        go_on.wait(5.0)

    worker = Worker(lambda: "model", process)
    assert worker.put(1) is False
    assert busy.wait(5.0)
    assert [worker.put(frame) for frame in (2, 3, 4)] == [False, True, True]
    busy.clear()
    go_on.set()
    assert busy.wait(5.0)
    worker.stop().result(5.0)
    assert seen == [1, 4]


def test_frame_that_waited_gives_way_to_one_that_is_due():
    seen, go_on = [], threading.Event()

    def process(model, frame):
        seen.append(frame)
        go_on.wait(5.0)

    worker = Worker(lambda: "model", process, patience_s=0.3)
    worker.put(1)
    time.sleep(0.8)
    worker.put(2)
    time.sleep(0.65)
    go_on.set()  # the third frame is due in 0.15 s
    time.sleep(0.15)
    worker.put(3)
    time.sleep(0.2)
    worker.put(4)
    time.sleep(0.2)
    worker.stop().result(5.0)
    assert seen[:2] == [1, 3]


def test_frame_is_processed_when_the_one_that_is_due_does_not_come():
    seen, go_on = [], threading.Event()

    def process(model, frame):
        seen.append(frame)
        go_on.wait(5.0)

    worker = Worker(lambda: "model", process, patience_s=0.2)
    worker.put(1)
    time.sleep(0.5)
    worker.put(2)
    time.sleep(0.4)
    go_on.set()
    time.sleep(0.6)
    worker.stop().result(5.0)
    assert seen == [1, 2]


def test_frames_before_the_model_is_there_wait_for_it():
    loading, seen = threading.Event(), []
    worker = Worker(lambda: loading.wait(5.0), lambda model, frame: seen.append(frame))
    worker.put(1)
    worker.put(2)
    assert not worker.loaded.done()
    loading.set()
    worker.loaded.result(5.0)
    while not seen:
        pass
    worker.stop().result(5.0)
    assert seen == [2]


def test_discarded_frame_is_not_processed():
    loading, seen = threading.Event(), []
    worker = Worker(lambda: loading.wait(5.0), lambda model, frame: seen.append(frame))
    assert worker.discard() is False
    worker.put(1)
    assert worker.discard() is True
    loading.set()
    worker.stop().result(5.0)
    assert seen == []


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

    worker = Worker(load, process)
    worker.put(Big())
    assert done.wait(5.0)
    worker.stop().result(5.0)
    gc.collect()
    assert worker.stopping and worker.model is None
    assert [reference() for reference in references] == [None, None]


def test_error_of_loading_is_handed_on():
    def load():
        raise ValueError("no such model")

    worker = Worker(load, lambda model, frame: None)
    with pytest.raises(ValueError, match="no such model"):
        worker.loaded.result(5.0)
    worker.stop().result(5.0)


def test_in_background_hands_on_result_and_error():
    assert in_background(lambda: 42, "test").result(5.0) == 42
    with pytest.raises(ZeroDivisionError):
        in_background(lambda: 1 / 0, "test").result(5.0)
