"""`SceneGraphClient` against processes that publish graphs over DDS."""

import subprocess
import sys
import threading
import time

import pytest
from graph_publisher import LABELS, GraphPublisher
from harness import eventually

pytest.importorskip("dsflash_ros.msg", reason="needs rclpy and the generated messages")

import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.serialization import serialize_message

from dsflash_ros import SceneGraphClient
from dsflash_ros.errors import DSFlashError, NoGraphError, QueryError
from dsflash_ros.msg import SceneGraph as SceneGraphMessage
from dsflash_ros.ros import qos


@pytest.fixture(scope="module")
def publishers():
    """Starts publishers, and ends them with the module."""
    started = []

    def start(*args, **kwargs):
        started.append(GraphPublisher(*args, **kwargs))
        return started[-1]

    yield start
    for one in started:
        one.kill()


@pytest.fixture(scope="module")
def publisher(publishers):
    return publishers()


@pytest.fixture(scope="module")
def graphs(publisher):
    """A client that hears the publisher and knows its vocabulary."""
    with SceneGraphClient() as client:
        eventually(lambda: client.vocabulary)
        yield client


def heard(client, publisher, *labels):
    """Publish such a graph until the client has it."""

    def there():
        publisher.graph(*labels)
        time.sleep(0.05)
        return client.graph is not None and [n.label for n in client.graph.nodes] == list(labels)

    eventually(there)


def wait_in_thread(client, *args, **kwargs):
    """Starts `wait_for`. Returns its thread, and a list that gets when it ended and how."""
    ended = []

    def wait():
        try:
            found = client.wait_for(*args, **kwargs)
        except DSFlashError as error:
            found = error
        ended.append((time.time(), found))

    thread = threading.Thread(target=wait)
    thread.start()
    time.sleep(0.05)  # until it waits
    return thread, ended


def test_it_holds_the_newest_graph(graphs, publisher):
    heard(graphs, publisher, "cup", "dining table")
    assert graphs.topic == "/scene_graph" and graphs.has_publisher
    assert graphs.age_s < 5
    (answer,) = graphs.query("?x on dining_table")
    assert answer["x"].name == "cup_0"
    assert graphs.vocabulary.classes == LABELS


def test_a_graph_of_another_version_is_left_out(graphs, publisher, capfd):
    """Its bytes end too early, or say that a list has more entries than there are bytes."""
    heard(graphs, publisher, "cup")
    node = rclpy.create_node("older", context=graphs._node.context)
    sender = node.create_publisher(SceneGraphMessage, "/scene_graph", qos.results())
    eventually(lambda: sender.get_subscription_count() > 0)
    whole = serialize_message(SceneGraphMessage(weights="w" * 40))
    for data in (whole[:24], whole[:-20] + b"\xff" * 20):
        before = graphs.age_s
        sender.publish(data)
        time.sleep(0.3)
        assert graphs.age_s > before  # it did not become the newest
    heard(graphs, publisher, "person")
    node.destroy_node()
    said = capfd.readouterr().err
    assert "a graph was left out: it is of another version of dsflash_ros" in said


def test_it_wakes_with_the_graph_that_fulfils_the_condition(graphs, publisher):
    heard(graphs, publisher, "person")
    delays = []
    for _ in range(20):
        heard(graphs, publisher, "person")
        thread, ended = wait_in_thread(graphs, "cup on dining_table", 20.0)
        publisher.graph("dining table")
        publisher.graph("cup", "dining table")
        publisher.graph("person")  # the next graph does not hide the one that was waited for
        thread.join()
        ((at, answers),) = ended
        assert [node.label for node in answers.graph.nodes] == ["cup", "dining table"]
        delays.append(at - answers.graph.stamp)
    assert sorted(delays)[len(delays) // 2] < 0.1, delays  # 5 ms on a quiet machine


def test_a_function_is_a_condition(graphs, publisher):
    heard(graphs, publisher, "cup")
    assert graphs.wait_for(lambda graph: graph.nodes[0].label, 5.0) == "cup"
    with pytest.raises(ZeroDivisionError):
        graphs.wait_for(lambda graph: 1 / 0, 5.0)


def test_many_wait_at_once(graphs, publisher):
    heard(graphs, publisher, "person")
    waiting = [wait_in_thread(graphs, f"?x:{label}", 20.0) for label in ("cup", "dining_table") * 8]
    publisher.graph("cup", "dining table")
    for thread, ended in waiting:
        thread.join()
        assert ended[0][1]


def test_graphs_of_earlier_images_do_not_count(graphs, publisher):
    heard(graphs, publisher, "cup")
    now = time.time()
    with pytest.raises(NoGraphError):
        graphs.wait_for("?x:cup", 0.2, after=now)
    thread, ended = wait_in_thread(graphs, "?x:cup", 20.0, after=now)
    publisher.graph("cup")
    thread.join()
    assert ended[0][1].graph.stamp > now


def test_in_vain(graphs, publisher):
    heard(graphs, publisher, "person")
    start = time.monotonic()
    with pytest.raises(TimeoutError, match=r"nothing fulfilled '\?x:cup' within 0.3 s: none has"):
        graphs.wait_for("?x:cup", 0.3)
    assert 0.3 <= time.monotonic() - start < 2.0
    with pytest.raises(QueryError, match="did you mean dining_table"):
        graphs.wait_for("?x:tabel", 60.0)
    with pytest.raises(NoGraphError):
        graphs.wait_for("?x:cup", 0.0)


def test_a_vocabulary_that_changes(graphs, publisher):
    heard(graphs, publisher, "person")
    thread, ended = wait_in_thread(graphs, "?x:cup", 30.0)
    publisher.vocabulary("robot", "person")
    eventually(lambda: graphs.vocabulary.classes == ("robot", "person"))
    publisher.graph("person")
    thread.join()
    assert isinstance(ended[0][1], QueryError) and "no class is called 'cup'" in str(ended[0][1])
    publisher.vocabulary("cup", "cup")  # which no vocabulary can be
    publisher.vocabulary(*LABELS)
    eventually(lambda: graphs.vocabulary.classes == LABELS)


def test_inside_a_node_with_one_thread(publisher):
    """It waits in a callback, and the node's executor, which stands meanwhile, is not needed."""
    context = rclpy.Context()
    rclpy.init(context=context)
    node = rclpy.create_node("robot", context=context)
    client = SceneGraphClient(node)
    found = []
    node.create_timer(0.01, lambda: found or found.append(client.wait_for("?x:cup", 20.0)))
    executor = SingleThreadedExecutor(context=context)
    executor.add_node(node)
    eventually(lambda: client.has_publisher)
    timer = threading.Timer(0.3, publisher.graph, ("cup",))
    timer.start()
    while not found:
        executor.spin_once(timeout_sec=0.1)
        publisher.graph("cup")
    assert found[0][0]["x"].label == "cup"
    timer.join()
    executor.shutdown()
    thread, ended = wait_in_thread(client, "?x:person", 30.0)
    context.shutdown()
    thread.join()
    assert "ROS was shut down" in str(ended[0][1])
    client.close()
    node.destroy_node()


def test_a_node_that_dies(publishers):
    one = publishers(topic="/front/scene_graph", vocabulary="front/vocabulary")
    with SceneGraphClient(topic="/front/scene_graph") as client:
        eventually(lambda: client.vocabulary)
        heard(client, one, "person")
        thread, ended = wait_in_thread(client, "?x:cup", 1.0)
        one.kill()
        thread.join()
        assert "none has come for" in str(ended[0][1])
        again = publishers(topic="/front/scene_graph", vocabulary="front/vocabulary")
        heard(client, again, "cup")  # and comes back
        assert client.wait_for("?x:cup", 5.0)


def test_nobody_publishes():
    with (
        SceneGraphClient(topic="/nowhere/scene_graph") as client,
        pytest.raises(NoGraphError, match="nothing publishes /nowhere/scene_graph"),
    ):
        client.wait_for("?x:cup", 0.2)
    assert client.graph is None and client.age_s == float("inf")
    with pytest.raises(NoGraphError, match="no graph yet: the client was closed"):
        client.query("?x:cup")
    client.close()  # a second time


def test_a_name_that_cannot_be():
    with pytest.raises(DSFlashError, match="no name for a topic"):
        SceneGraphClient(topic="scene graph")


def test_a_program_ends_although_it_does_not_close_the_client():
    code = "from dsflash_ros import SceneGraphClient; client = SceneGraphClient(); print('there')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, "there\n", "")
