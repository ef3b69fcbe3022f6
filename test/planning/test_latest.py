import threading
import time

import pytest
from made_graphs import graph_of, node

from dsflash_ros.errors import NoGraphError, QueryError
from dsflash_ros.graph.vocabulary import Vocabulary
from dsflash_ros.planning.latest import MOST_WAITING, LatestGraph


def numbered(number):
    return graph_of([node(number)], stamp=float(number))


def test_every_graph_is_tested_in_order_and_none_twice():
    latest, tested = LatestGraph(), []
    latest.put(numbered(0))
    there = threading.Event()

    def test(graph):
        tested.append(graph.stamp)
        there.set()
        return graph.stamp == 20

    thread = threading.Thread(target=latest.wait_for, args=(test, 20.0))
    thread.start()
    assert there.wait(10.0)
    for number in range(1, 21):
        latest.put(numbered(number))
    thread.join()
    assert tested == [float(number) for number in range(21)]


def test_a_slow_condition_loses_the_oldest_and_ends_in_time():
    latest = LatestGraph()
    latest.put(numbered(0))
    tested = []

    def test(graph):
        for number in range(1, 100):
            latest.put(numbered(len(tested) * 100 + number))
        tested.append(graph.stamp)

    with pytest.raises(NoGraphError, match="graphs came"):
        latest.wait_for(test, 0.2)
    assert tested[1] == 100 - MOST_WAITING
    assert latest._waiting == []


def test_the_end_is_told_to_those_who_wait_and_those_who_come():
    latest = LatestGraph()
    threading.Timer(0.1, latest.end, ("the camera is gone",)).start()
    start = time.monotonic()
    with pytest.raises(NoGraphError, match=r"within 60 s: the camera is gone$"):
        latest.wait_for("?x:cup", 60.0)
    assert time.monotonic() - start < 10
    with pytest.raises(NoGraphError, match="the camera is gone"):
        latest.wait_for("?x:cup", 60.0)
    with pytest.raises(NoGraphError, match="no graph yet: the camera is gone"):
        latest.query("?x:cup")


@pytest.mark.parametrize("timeout_s", [float("nan"), -0.1, float("-inf")])
def test_a_timeout_that_cannot_be(timeout_s):
    with pytest.raises(ValueError, match="timeout_s is to be 0 seconds or more, got"):
        LatestGraph().wait_for("?x:cup", timeout_s)


@pytest.mark.parametrize("timeout_s", [float("inf"), 1e10, 1e300])
def test_as_long_as_it_takes(timeout_s):
    latest = LatestGraph()
    threading.Timer(0.1, latest.put, (numbered(0),)).start()
    assert latest.wait_for("?x:cup", timeout_s)
    threading.Timer(0.1, latest.end, ("the camera is gone",)).start()
    with pytest.raises(NoGraphError, match="the camera is gone"):
        latest.wait_for("?x:person", timeout_s)


def test_graphs_that_are_all_too_old():
    """As when `after` is of the wall clock, and the stamps are those of a bag."""
    latest = LatestGraph()
    latest.put(numbered(3))
    threading.Timer(0.1, latest.put, (numbered(4),)).start()
    with pytest.raises(NoGraphError) as error:
        latest.wait_for("?x:cup", 0.5, after=1e9)
    assert str(error.value).endswith(
        ": 1 graph came; the newest, of 4.000 s, is not younger than after=1000000000.000"
    )
    with pytest.raises(NoGraphError, match=r"none has come for .*is not younger than after=4.000$"):
        latest.wait_for("?x:cup", 0.0, after=4.0)
    with pytest.raises(NoGraphError) as error:
        latest.wait_for("?x:person", 0.0, after=3.0)
    assert "younger" not in str(error.value)


def test_questions_are_checked_at_once():
    latest = LatestGraph()
    with pytest.raises(QueryError):
        latest.wait_for("?x on", 60.0)
    latest.vocabulary = Vocabulary.load("toyroom")
    with pytest.raises(QueryError, match="did you mean cup"):
        latest.wait_for("?x:cupp", 60.0)
    with pytest.raises(QueryError, match="did you mean cup"):
        latest.query("?x:cupp")


def test_many_threads_at_once():
    latest = LatestGraph()
    found = []
    threads = [
        threading.Thread(target=lambda n=n: found.append(latest.wait_for(f"?x#{n}", 20.0)))
        for n in range(20)
    ]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        latest.put(graph_of([node(number) for number in range(20)]))
        time.sleep(0.01)
    assert len(found) == 20 and all(found)
