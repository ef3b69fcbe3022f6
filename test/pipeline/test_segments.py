import numpy as np
import pytest
import torch

from dsflash_ros.graph.scene_graph import unpack_panoptic
from dsflash_ros.graph.vocabulary import Vocabulary
from dsflash_ros.images.letterbox import Letterbox
from dsflash_ros.model.panoptic import Segments
from dsflash_ros.model.ranking import RankedRelations
from dsflash_ros.pipeline.graph_building import build_graph
from dsflash_ros.pipeline.segments import ImageSegments

VOCABULARY = Vocabulary(("cup", "dog"), ("floor",), ("on", "under"))


def random_segments(letterbox, stride, count=6):
    height, width = -(-letterbox.height // stride), -(-letterbox.width // stride)
    labels = torch.randint(-1, count, (max(2, height // 9), max(2, width // 7)))
    labels = torch.nn.functional.interpolate(labels[None, None].float(), (height, width))[
        0, 0
    ].long()
    present = torch.tensor([(labels == index).any() for index in range(count)])
    return segments_of(labels, torch.arange(count) % 3, torch.rand(count)).select(present)


def segments_of(labels, class_ids, scores):
    """Segments that are sure of their classes as far as their scores go."""
    probabilities = torch.nn.functional.one_hot(class_ids, 3) * scores.unsqueeze(1)
    return Segments(labels, class_ids, scores, probabilities)


@pytest.mark.parametrize("size", [(480, 640), (100, 37), (16, 16), (720, 1280), (40, 900)])
@pytest.mark.parametrize("stride", [1, 4])
def test_measures_are_those_of_the_source_pixels(size, stride):
    """Areas, boxes and centroids against the plain way: draw the map at source size and count."""
    letterbox = Letterbox(*size, 320)
    found = ImageSegments.measure(random_segments(letterbox, stride), letterbox, stride)
    graph = build_graph(found, no_relations(), VOCABULARY)
    assert graph.panoptic.shape == size
    classes, ids = unpack_panoptic(graph.panoptic)
    assert set(np.unique(ids)) - {-1} == {node.id for node in graph.nodes}
    assert len(graph.nodes) > 0
    for node in graph.nodes:
        y, x = np.nonzero(ids == node.id)
        assert set(classes[y, x]) == {node.class_id}
        assert node.area == len(y)
        assert node.box == (x.min(), y.min(), x.max() + 1, y.max() + 1)
        assert node.centroid == pytest.approx((x.mean() + 0.5, y.mean() + 0.5), abs=1e-6)
        assert node.label == VOCABULARY.classes[node.class_id]
        assert node.is_thing == (node.class_id < 2)


def test_segments_that_no_source_pixel_shows_are_dropped():
    letterbox = Letterbox(16, 16, 320)
    labels = torch.zeros(320, 320, dtype=torch.long)
    labels[0, 0] = 1  # source pixels sample rows 10, 30, ...
    labels[200:, 200:] = 2
    found = ImageSegments.measure(
        segments_of(labels, torch.tensor([0, 1, 2]), torch.rand(3)), letterbox, 1
    )
    assert found.segments.class_ids.tolist() == [0, 2]
    assert found.areas.tolist() == [256 - 36, 36]
    assert found.masks.shape[0] == 2


def test_locations_are_over_the_whole_input():
    letterbox = Letterbox(240, 320, 320)
    labels = torch.full((60, 80), -1)
    labels[0:30, 40:80] = 0
    segments = segments_of(labels, torch.tensor([1]), torch.rand(1))
    found = ImageSegments.measure(segments, letterbox, 4)
    assert found.locations().tolist() == [[0.0, -1.0, 1.0, -0.25]]


def test_relations_carry_names():
    letterbox = Letterbox(32, 32, 320)
    labels = torch.arange(320).repeat(320, 1) // 160
    found = ImageSegments.measure(
        segments_of(labels, torch.tensor([0, 2]), torch.tensor([0.9, 0.8])), letterbox, 1
    )
    ranked = RankedRelations(
        torch.tensor([[0, 1], [1, 0]]), torch.tensor([0, 1]), torch.tensor([0.75, 0.5])
    )
    graph = build_graph(found, ranked, VOCABULARY, stamp=3.0, weights="w")
    assert graph.triplets() == [("cup_0", "on", "floor_1"), ("floor_1", "under", "cup_0")]
    assert [r.score for r in graph.relations] == [0.75, 0.5]
    assert graph.stamp == 3.0


def no_relations():
    return RankedRelations(
        torch.zeros(0, 2, dtype=torch.long), torch.zeros(0, dtype=torch.long), torch.zeros(0)
    )
