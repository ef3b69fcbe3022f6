"""Graphs find their images and maps by stamp; the newest wins, and memory is bounded."""

import pytest

pytest.importorskip("dsflash_ros.msg", reason="needs rclpy and the generated messages")

from harness import image_message
from rclpy.serialization import serialize_message

from dsflash_ros.msg import SceneGraph
from dsflash_ros.ros.view import stamp_matching
from dsflash_ros.ros.view.live_view import map_topic_of
from dsflash_ros.ros.view.stamp_matching import MAP_PATIENCE_S, StampMatcher


def data(number):
    """An image of that stamp, serialised."""
    return bytes(serialize_message(image_message(number)))


def graph(number):
    message = SceneGraph(header=image_message(number).header)
    return message


def numbers(seen):
    """Whose graph it is, and whether image and map are there."""
    return seen and (seen.graph.header.stamp.sec, bool(seen.image), bool(seen.panoptic))


def test_a_graph_comes_with_its_image_and_map():
    matcher = StampMatcher()
    images = [data(number) for number in range(5)]
    for image in images:
        matcher.take_image(image)
    matcher.take_map(data(3))
    matcher.take_graph(graph(3), now=10.0)
    seen = matcher.newest(10.0)
    assert numbers(seen) == (3, True, True) and seen.arrived == 10.0
    assert seen.image is images[3]
    assert matcher.newest(11.0) is None


def test_the_map_is_waited_for_but_not_for_long():
    matcher = StampMatcher()
    matcher.take_graph(graph(1), now=0.0)
    assert numbers(matcher.newest(0.0)) == (1, False, False)  # none has ever come
    matcher.take_map(data(1))
    matcher.take_graph(graph(2), now=1.0)
    assert matcher.newest(1.0) is None
    matcher.take_map(data(2))
    assert numbers(matcher.newest(1.0)) == (2, False, True)
    matcher.take_graph(graph(3), now=2.0)
    assert matcher.newest(2.0 + 0.9 * MAP_PATIENCE_S) is None
    assert numbers(matcher.newest(2.0 + 1.1 * MAP_PATIENCE_S)) == (3, False, False)


def test_the_newest_wins_and_older_ones_are_forgotten():
    matcher = StampMatcher()
    for number in range(20):
        matcher.take_image(data(number))
        matcher.take_map(data(number))
        matcher.take_graph(graph(number), now=float(number))
    assert numbers(matcher.newest(20.0)) == (19, True, True)
    assert matcher.newest(30.0) is None
    assert not matcher._images and not matcher._maps and matcher._bytes == 0


def test_an_older_graph_with_its_map_is_not_kept_back_by_a_newer_one():
    matcher = StampMatcher()
    matcher.take_map(data(1))
    matcher.take_graph(graph(1), now=0.0)
    matcher.take_graph(graph(2), now=0.01)
    assert numbers(matcher.newest(0.02)) == (1, False, True)
    matcher.take_map(data(2))
    assert numbers(matcher.newest(0.03)) == (2, False, True)


def test_images_without_graphs_are_bounded(monkeypatch):
    size = len(data(0))
    monkeypatch.setattr(stamp_matching, "_MOST_BYTES", 10 * size)
    matcher = StampMatcher()
    for number in range(100):
        matcher.take_image(data(number))
        matcher.take_image(data(number))  # twice the same
    assert len(matcher._images) == 10 and matcher._bytes == 10 * size
    matcher.take_graph(graph(50), now=0.0)
    assert numbers(matcher.newest(0.0)) == (50, False, False)
    matcher.take_graph(graph(95), now=0.0)
    assert numbers(matcher.newest(0.0)) == (95, True, False)
    assert len(matcher._images) == 4


@pytest.mark.parametrize(
    ("namespace", "name", "graphs", "expected"),
    [
        ("/", "dsflash", "/scene_graph", "/dsflash/panoptic"),
        ("/", "dsflash", "/front/scene_graph", "/dsflash/front/panoptic"),
        ("/robot", "dsflash", "/robot/scene_graph", "/robot/dsflash/panoptic"),
        ("/robot", "eyes", "/robot/front/scene_graph", "/robot/eyes/front/panoptic"),
    ],
)
def test_the_map_is_beside_the_graph(namespace, name, graphs, expected):
    assert map_topic_of(namespace, name, graphs) == expected
