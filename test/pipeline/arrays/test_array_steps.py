"""What is done on NumPy's arrays is what is done on PyTorch's tensors."""

import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from dsflash_ros import Options
from dsflash_ros.export.scenes import random_scene
from dsflash_ros.graph.vocabulary import Vocabulary
from dsflash_ros.images.letterbox import Letterbox
from dsflash_ros.model.segmenters.segmentation import Segmentation
from dsflash_ros.pipeline.arrays import ARRAY_STEPS
from dsflash_ros.pipeline.graph_building import build_graph
from dsflash_ros.pipeline.tensor_steps import TENSOR_STEPS

SIDE, THINGS, CLASSES, PREDICATES = 96, 4, 7, 3
VOCABULARY = Vocabulary(("a", "b", "c", "d"), ("e", "f", "g"), ("on", "in", "by"))
BACKEND = SimpleNamespace(cell=16, grid=5, prepare=lambda features: features)
SIZES = [(48, 64), (480, 640), (16, 16), (100, 37), (40, 900), (96, 96)]


def segmentation(seed, batch=1, queries=25):
    """Blurry discs, many of them sure; several of one stuff class."""
    rng = np.random.default_rng(seed)
    side = SIDE // 4
    y, x = np.mgrid[:side, :side]
    centre, radius = rng.random((2, batch, queries, 1, 1)) * side, rng.random((queries, 1, 1))
    distance = np.hypot(y - centre[0], x - centre[1])
    noise = rng.normal(size=(batch, queries, side, side))
    masks = radius * side / 3 + 2 - distance + 0.7 * noise
    classes = rng.normal(size=(batch, queries, CLASSES + 1))
    chosen = rng.integers(0, CLASSES + 1, (batch, queries, 1))
    np.put_along_axis(classes, chosen, rng.uniform(2, 12, (batch, queries, 1)), 2)
    features = rng.normal(size=(batch, 8, SIDE // 16, SIDE // 16))
    arrays = [array.astype(np.float32) for array in (masks, classes, features)]
    return Segmentation(*arrays), Segmentation(*map(torch.from_numpy, arrays))


def graphs(given, steps, boxes, options):
    """A graph of each image without relations, what a tracker sees, and the inputs of the pairs."""
    found = [
        steps.merge_segments(given, index, THINGS, box, options) for index, box in enumerate(boxes)
    ]
    inputs, pairs = steps.pairs_of_found(found, given.features, BACKEND)
    count = sum(len(own) for own in pairs)
    logits = np.random.default_rng(5).normal(size=(count, 2, PREDICATES + 1)).astype(np.float32)
    if steps is TENSOR_STEPS:
        logits = torch.from_numpy(logits)
    ranked = steps.rank_relations(logits, inputs.pairs, 0.3, 40).as_arrays()
    none = steps.rank_relations(logits[:0], inputs.pairs[:0])
    made = [build_graph(segments, none, VOCABULARY) for segments in found]
    looks = [
        segments.appearance(features)
        for segments, features in zip(found, given.features, strict=True)
    ]
    return made, looks, inputs, ranked


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(
    "options",
    [
        Options(mask_threshold=0.5, overlap_threshold=0.3),
        Options(mask_threshold=0.8, overlap_threshold=0.2, low_resolution_masks=True),
        Options(mask_threshold=0.0, overlap_threshold=0.0, least_part=0.3, max_segments=5),
        Options(mask_threshold=1.0, overlap_threshold=0.5),
    ],
    ids=["usual", "low resolution", "few", "none"],
)
def test_segments_and_pairs(size, options):
    boxes = [Letterbox(*size, SIDE), Letterbox(*reversed(size), SIDE)]
    arrays, tensors = segmentation(sum(size), batch=2)
    with torch.inference_mode():
        made, looks, inputs, ranked = graphs(arrays, ARRAY_STEPS, boxes, options)
        expected, expected_looks, expected_inputs, best = graphs(
            tensors, TENSOR_STEPS, boxes, options
        )
    assert any(plain.nodes for plain in expected) == (options.mask_threshold < 1)
    for graph, plain in zip(made, expected, strict=True):
        for node, other in zip(graph.nodes, plain.nodes, strict=True):
            same = ("id", "class_id", "label", "is_thing", "box", "area", "centroid")
            assert [getattr(node, name) for name in same] == [getattr(other, name) for name in same]
            assert node.score == pytest.approx(other.score, abs=1e-6)
        assert np.array_equal(graph.panoptic, plain.panoptic)
        assert graph.panoptic.dtype == plain.panoptic.dtype and graph.panoptic.flags.c_contiguous
    for look, other in zip(looks, expected_looks, strict=True):
        np.testing.assert_allclose(look, other, atol=1e-5)
    for name, array, tensor in zip(inputs._fields, inputs, expected_inputs, strict=True):
        assert array.dtype == tensor.numpy().dtype, name
        np.testing.assert_allclose(array, tensor.numpy(), atol=1e-6, err_msg=name)
    for array, other in zip(ranked, best, strict=True):
        assert array.dtype == other.dtype
        np.testing.assert_allclose(array, other, atol=1e-6)


@pytest.mark.parametrize("share", [0, 0.3, 1])
@pytest.mark.parametrize("seed", range(3))
def test_pairs_of_asked_classes(seed, share):
    """Only these are related; all segments are told to the relation stage."""
    rng = np.random.default_rng(seed)
    asked = rng.random(CLASSES) < share
    boxes, options = [Letterbox(60, 96, SIDE)] * 2, Options(overlap_threshold=0)
    made = []
    for steps, given in zip((ARRAY_STEPS, TENSOR_STEPS), segmentation(seed, 2), strict=True):
        found = [
            steps.merge_segments(given, index, THINGS, box, options)
            for index, box in enumerate(boxes)
        ]
        inputs, pairs = steps.pairs_of_found(found, given.features, BACKEND, asked)
        made.append((np.asarray(inputs.pairs), np.asarray(inputs.class_ids), list(map(len, pairs))))
    (pairs, class_ids, counts), (others, other_ids, other_counts) = made
    np.testing.assert_array_equal(pairs, others)
    np.testing.assert_array_equal(class_ids, other_ids)
    assert counts == other_counts and asked[class_ids[pairs]].all()
    wanted, images = asked[class_ids], np.asarray(inputs.images)
    assert counts == [math.comb(int(wanted[images == image].sum()), 2) for image in (0, 1)]


@pytest.mark.parametrize("seed", range(10))
def test_pairs_of_given_segments(seed):
    scene = random_scene(seed, 120, CLASSES)
    labels = scene.labels[:80, :113]
    box = Letterbox(*labels.shape, SIDE)
    class_ids = np.where(np.arange(len(scene.class_ids)) % 3 == 0, -1, scene.class_ids)
    features = np.zeros((1, 8, 6, 6), np.float32)
    given = (labels, class_ids, box)
    found = ARRAY_STEPS.pairs_of_labels(*given, features, len(VOCABULARY.classes), BACKEND)
    plain = TENSOR_STEPS.pairs_of_labels(
        *given, torch.from_numpy(features), len(VOCABULARY.classes), BACKEND
    )
    for name, array, tensor in zip(found._fields, found, plain, strict=True):
        assert array.dtype == tensor.numpy().dtype, name
        np.testing.assert_array_equal(array, tensor.numpy(), err_msg=name)


@pytest.mark.parametrize("size", [(48, 64), (96, 96), (480, 640), (33, 200), (200, 33), (720, 405)])
def test_network_input(size):
    rng = np.random.default_rng(size[0])
    rgb = rng.integers(0, 256, (*size, 3)).astype(np.uint8)
    box = Letterbox(*size, SIDE)
    for image in (rgb, rgb[::-1, ::-1], rgb[..., ::-1]):
        found = ARRAY_STEPS.network_input([image, rgb], [box, box], "cpu")
        plain = TENSOR_STEPS.network_input([image, rgb], [box, box], torch.device("cpu"))
        grey_levels = 255 * plain.permute(0, 2, 3, 1).numpy()
        assert found.dtype == np.uint8 and found.shape == (2, SIDE, SIDE, 3)
        assert np.abs(found - grey_levels).max() <= 1.01


@pytest.mark.parametrize("limit", [None, 3, 0])
def test_ranking_with_ties(limit):
    rng = np.random.default_rng(1)
    logits = rng.integers(-2, 3, (30, 2, 4)).astype(np.float32)
    logits[0] = np.inf
    pairs = np.stack(np.triu_indices(9, 1), axis=1)[:30]
    found = ARRAY_STEPS.rank_relations(logits, pairs, 0.2, limit)
    plain = TENSOR_STEPS.rank_relations(
        torch.from_numpy(logits), torch.from_numpy(pairs), 0.2, limit
    ).as_arrays()
    np.testing.assert_array_equal(found.pairs, plain.pairs)
    np.testing.assert_array_equal(found.predicates, plain.predicates)
    np.testing.assert_allclose(found.scores, plain.scores, atol=1e-6)
