import numpy as np
import pytest

from dsflash_ros.evaluation.speed import measure_speed
from dsflash_ros.graph.scene_graph import NOTHING, Node, SceneGraph


class Clock:
    """A pipeline whose n-th pass of one image takes n ms in each stage but the last."""

    relates = True

    def __init__(self, segments):
        self.segments, self.passes, self.batches, self.seen = segments, 0, [], []

    def __call__(self, rgb):
        self.passes += 1
        self.seen.append(int(rgb[0, 0, 0]))
        return self._graph(float(self.passes))

    def batch(self, images):
        self.batches.append(len(images))
        return [self._graph(10.0 * len(self.batches)) for _ in images]

    def _graph(self, ms):
        nodes = tuple(
            Node(i, 0, "", True, 1.0, (0, 0, 1, 1), 1, (0.0, 0.0)) for i in range(self.segments)
        )
        stages = dict.fromkeys(("preprocess", "segment", "merge", "relate"), ms) | {
            "finish": 7.0,
            "total": 4 * ms + 7,
        }
        return SceneGraph(nodes, (), np.full((2, 2), NOTHING, np.int32), latency_ms=stages)


def test_what_is_timed():
    clock = Clock(segments=4)
    images = [np.full((2, 2, 3), i, np.uint8) for i in range(3)]
    found = measure_speed(clock, images, warm_up=5, timed=4, batch=2)
    assert clock.passes == 9 and clock.seen == [0, 1, 2, 0, 1, 2, 0, 1, 2]
    # Without fitting the image in, and without "finish".
    assert found["latency_ms"] == 3 * np.mean([6, 7, 8, 9])
    assert found["stages_ms"]["finish"] == 7.0 and found["stages_ms"]["preprocess"] == 7.5
    assert clock.batches == [2] * 5  # 3 of warm-up, 2 timed
    assert found["relations_per_second"] == pytest.approx(2 * 2 * 12 / (3 * (40 + 50)) * 1e3)
    assert (found["segments_per_image"], found["pairs_per_image"]) == (4, 12)


def test_time_bounds_the_passes_to_one_of_each_kind_at_least():
    clock = Clock(segments=4)
    images = [np.zeros((2, 2, 3), np.uint8)]
    found = measure_speed(clock, images, warm_up=50, timed=50, batch=3, seconds=0.0)
    assert (clock.passes, clock.batches) == (2, [3, 3])
    assert (found["warm_up"], found["timed"]) == (1, 1)
    assert found["latency_ms"] == 3 * 2.0, "of the second pass"
    assert found["relations_per_second"] == pytest.approx(3 * 12 / (3 * 20) * 1e3)


@pytest.mark.parametrize(("segments", "relates"), [(1, True), (4, False)])
def test_without_pairs_there_is_no_rate(segments, relates):
    clock = Clock(segments)
    clock.relates = relates
    found = measure_speed(clock, [np.zeros((2, 2, 3), np.uint8)], warm_up=1, timed=1, batch=1)
    assert found["relations_per_second"] is None and found["latency_ms"] > 0
