import math
from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from pair_inputs import pair_inputs

from dsflash_ros.errors import ImageError
from dsflash_ros.graph.scene_graph import unpack_panoptic
from dsflash_ros.images.letterbox import Letterbox
from dsflash_ros.model.panoptic import merge_panoptic
from dsflash_ros.model.segmenters.eomt import EoMT
from dsflash_ros.pipeline.pipeline import Options, SceneGraphPipeline
from dsflash_ros.pipeline.resizing import fit_image


@pytest.fixture(scope="module")
def pipeline():
    return SceneGraphPipeline.from_weights("random", device="cpu")


@pytest.fixture(autouse=True)
def default_options(pipeline):
    pipeline.options = Options()


def picture(height=240, width=320, seed=0):
    """Smooth noise, (H, W, 3) uint8: an image with something in it."""
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand(1, 3, 12, 12, generator=generator)
    image = F.interpolate(coarse, (height, width), mode="bilinear")[0].permute(1, 2, 0)
    return (image * 255).byte().numpy()


def check_graph(graph, height, width):
    """What must hold of any graph."""
    assert graph.panoptic.shape == (height, width)
    assert graph.panoptic.dtype == np.int32
    assert graph.panoptic.flags.c_contiguous, "whoever reads it would have to transpose it"
    _, ids = unpack_panoptic(graph.panoptic)
    areas = {index: int((ids == index).sum()) for index in np.unique(ids) if index >= 0}
    assert areas == {node.id: node.area for node in graph.nodes}
    known = set(areas)
    directed = [(r.subject, r.object) for r in graph.relations]
    assert len(set(directed)) == len(directed)
    assert all(a != b and {a, b} <= known for a, b in directed)
    scores = [r.score for r in graph.relations]
    assert scores == sorted(scores, reverse=True)
    assert all(0 <= score <= 1 for score in scores + [node.score for node in graph.nodes])
    assert set(graph.latency_ms) == {"preprocess", "segment", "merge", "relate", "finish", "total"}
    stages = sum(ms for stage, ms in graph.latency_ms.items() if stage != "total")
    assert graph.latency_ms["total"] == pytest.approx(stages)


@pytest.mark.parametrize(
    ("height", "width"), [(16, 16), (240, 320), (321, 123), (16, 1200), (1080, 1920), (2160, 3840)]
)
@pytest.mark.parametrize("low", [False, True])
def test_any_size(pipeline, height, width, low):
    pipeline.options = Options(low_resolution_masks=low)
    check_graph(pipeline(picture(height, width)), height, width)


def test_graphs_have_nodes_and_relations(pipeline):
    graph = pipeline(picture(), stamp=4.5, source="here")
    assert len(graph.nodes) >= 3
    assert len(graph.relations) >= 3
    assert (graph.stamp, graph.source, graph.weights, graph.is_trained) == (
        4.5,
        "here",
        "random",
        False,
    )


@pytest.mark.parametrize(
    "options", [Options(), Options(pruning=True, tome_ratio=0.4, low_resolution_masks=True)]
)
def test_deterministic(pipeline, options):
    pipeline.options = options
    one, _, again = pipeline(picture()), pipeline(picture(seed=1)), pipeline(picture())
    assert one.nodes == again.nodes
    assert one.relations == again.relations
    assert np.array_equal(one.panoptic, again.panoptic)
    other = SceneGraphPipeline.from_weights("random", device="cpu", options=options)(picture())
    assert other.nodes == one.nodes and other.relations == one.relations


def test_a_batch_gives_what_single_images_give(pipeline):
    images = [picture(240, 320, 0), picture(300, 200, 1), picture(64, 64, 2)]
    graphs = pipeline.batch(images, stamps=[1.0, 2.0, 3.0], sources=["a", "b", "c"])
    for graph, image, stamp, source in zip(graphs, images, (1.0, 2.0, 3.0), "abc", strict=True):
        single = pipeline(image, stamp, source)
        check_graph(graph, *image.shape[:2])
        assert (graph.stamp, graph.source) == (stamp, source)
        assert [n.class_id for n in graph.nodes] == [n.class_id for n in single.nodes]
        assert (
            graph.panoptic == single.panoptic
        ).mean() > 0.999  # sums of another order may move an edge
        assert len(graph.relations) == pytest.approx(len(single.relations), abs=2)
        for a, b in zip(graph.relations, single.relations, strict=False):
            assert a.score == pytest.approx(b.score, abs=2e-3)
    assert pipeline.batch([]) == []


@pytest.mark.parametrize("low", [False, True])
def test_agrees_with_the_model_pair_by_pair(pipeline, low):
    """The whole way again, plainly: every query upsampled, one pair at a time, masks pooled for
    each pair.
    """
    pipeline.options = Options(relation_threshold=0.0, low_resolution_masks=low, least_part=0.0)
    image, config, model = picture(), pipeline.config, pipeline.model
    graph = pipeline(image)
    box = Letterbox(240, 320, 320)
    with torch.inference_mode():
        found = model.segmenter(
            torch.from_numpy(fit_image(image, box)).permute(2, 0, 1)[None].float() / 255
        )
        side, stride = (80, 4) if low else (320, 1)
        logits = F.interpolate(found.mask_logits, (side, side), mode="bilinear")[
            0, :, : 240 // stride
        ]
        segments = merge_panoptic(logits, found.class_logits[0], config.num_things)
        masks = F.pad(segments.masks().float(), (0, 0, 0, side - 240 // stride))
        patches = model.relations.prepare(found.features)
        expected = {}
        for a, b in combinations(range(len(masks)), 2):
            coverage = [F.avg_pool2d(masks[i][None], 48 // stride).flatten() for i in (a, b)]
            boxes = []
            for i in (a, b):
                y, x = masks[i].nonzero(as_tuple=True)
                box_ = torch.stack((x.min(), y.min(), x.max() + 1, y.max() + 1)) / side
                boxes.append(2 * box_ - 1)
            pair = torch.tensor([[0, 1]])
            images = torch.zeros(2, dtype=torch.long)
            inputs = pair_inputs(patches, torch.stack(coverage), torch.stack(boxes), images, pair)
            both = model.relations(inputs)
            for (s, o), row in zip(((a, b), (b, a)), both[0].tolist(), strict=True):
                expected[s, o] = (1 / (1 + math.exp(row[0])), row[1:].index(max(row[1:])))
    assert [n.class_id for n in graph.nodes] == segments.class_ids.tolist()
    assert {(r.subject, r.object) for r in graph.relations} == set(expected)
    for r in graph.relations:
        score, predicate = expected[r.subject, r.object]
        assert r.score == pytest.approx(score, abs=1e-4)
        assert r.predicate == pipeline.vocabulary.predicates[predicate]


def test_options_take_effect_at_once(pipeline):
    everything = len(pipeline_with(pipeline, relation_threshold=0.0)(picture()).relations)
    nodes = len(pipeline(picture()).nodes)
    assert everything == nodes * (nodes - 1)
    assert (
        len(pipeline_with(pipeline, relation_threshold=0.0, max_relations=3)(picture()).relations)
        == 3
    )
    assert len(pipeline_with(pipeline, max_relations=0)(picture()).relations) == 0
    strict = pipeline_with(pipeline, relation_threshold=0.55)(picture())
    assert 0 < len(strict.relations) < everything
    assert all(r.score >= 0.55 for r in strict.relations)
    assert len(pipeline_with(pipeline, mask_threshold=1.0)(picture()).nodes) == 0
    assert (
        pipeline_with(pipeline, pruning=True)(picture()).relations
        != pipeline_with(pipeline)(picture()).relations
    )
    assert (
        pipeline_with(pipeline, tome_ratio=0.5)(picture()).nodes
        != pipeline_with(pipeline)(picture()).nodes
    )


def pipeline_with(pipeline, **options):
    pipeline.options = Options(**options)
    return pipeline


def test_overlap_threshold_and_most_segments(pipeline):
    nodes = pipeline_with(pipeline, overlap_threshold=0.0)(picture()).nodes
    assert len(nodes) > len(pipeline_with(pipeline, overlap_threshold=1.0)(picture()).nodes)
    best = sorted((node.score for node in nodes), reverse=True)[:2]
    kept = pipeline_with(pipeline, overlap_threshold=0.0, max_segments=2)(picture())
    assert sorted((node.score for node in kept.nodes), reverse=True) == best
    check_graph(kept, 240, 320)


def test_runs_without_gradients_and_once_before_the_first_frame(monkeypatch):
    calls = []
    forward = EoMT.forward
    monkeypatch.setattr(
        EoMT,
        "forward",
        lambda *args, **options: (
            calls.append(torch.is_inference_mode_enabled()) or forward(*args, **options)
        ),
    )
    loaded = SceneGraphPipeline.from_weights("random", device="cpu")
    assert len(calls) == 4, "three to make the untrained model, one to warm it up"
    loaded(picture())
    assert calls == [True] * 5


def test_batch_needs_as_many_stamps_as_images(pipeline):
    with pytest.raises(ValueError, match="2 images need as many stamps and sources, got 1, 2"):
        pipeline.batch([picture(), picture()], [1.0], ["a", "b"])
    stacked = pipeline.batch(np.stack([picture(), picture()]), np.array([1.0, 2.0]))
    assert [graph.stamp for graph in stacked] == [1.0, 2.0]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("max_relations", 2.5),
        ("max_segments", 0),
        ("pruning", "no"),
        ("mask_threshold", "0.5"),
        ("mask_threshold", True),
        ("mask_threshold", 1.01),
        ("overlap_threshold", -1.1),
        ("relation_threshold", math.nan),
        ("max_relations", -1),
        ("max_relations", 65536),
        ("tome_ratio", 0.71),
    ],
)
def test_options_out_of_range(name, value):
    with pytest.raises(ValueError, match=f"{name} must be (a number|a whole number|True or False)"):
        replace(Options(), **{name: value})


def test_bad_images_leave_the_pipeline_working(pipeline):
    with pytest.raises(ImageError):
        pipeline(np.zeros((480, 640), np.uint8))
    with pytest.raises(ImageError):
        pipeline.batch([picture(), np.zeros((4, 4, 3), np.uint8)])
    check_graph(pipeline(picture()), 240, 320)


@pytest.mark.parametrize("size", [(240, 320), (480, 640)], ids=["as large as the input", "larger"])
def test_read_only_strided_and_reversed_images(pipeline, size):
    image = picture(*size)
    expected = pipeline(image).nodes
    bgr = image[..., ::-1].copy()
    assert pipeline(bgr[..., ::-1]).nodes == expected, "the usual way from OpenCV's order to ours"
    image.flags.writeable = False
    padded = np.zeros((size[0], 800, 3), np.uint8)
    padded[:, : size[1]] = image
    assert pipeline(image).nodes == pipeline(padded[:, : size[1]]).nodes == expected


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_half_precision_is_close(pipeline, precision):
    half = SceneGraphPipeline.from_weights("random", device="cpu", precision=precision)
    assert half.precision == precision
    ours, theirs = half(picture()), pipeline(picture())
    check_graph(ours, 240, 320)
    assert (ours.panoptic >> 16 == theirs.panoptic >> 16).mean() > 0.9


@pytest.mark.slow
def test_compiled_gives_the_same(pipeline):
    compiled = SceneGraphPipeline.from_weights("random", device="cpu", compile=True)
    assert [n.class_id for n in compiled(picture()).nodes] == [
        n.class_id for n in pipeline(picture()).nodes
    ]


def test_given_segments_relate_as_found_ones_do(pipeline):
    """PredCls on the pipeline's own segments: the same pairs, nearly the same scores (masks go
    through the source).
    """
    pipeline.options = Options(relation_threshold=0)
    image = picture(320, 320)  # the network input's size, so that nothing is resampled
    graph = pipeline(image)
    _, ids = unpack_panoptic(graph.panoptic)
    ranked = pipeline.relate_segments(image, ids, len(graph.nodes))
    found = {(r.subject, r.object): (r.predicate_id, r.score) for r in graph.relations}
    assert len(found) == len(ranked.pairs) == len(graph.nodes) * (len(graph.nodes) - 1)
    for pair, predicate, score in zip(
        ranked.pairs.tolist(), ranked.predicates, ranked.scores, strict=True
    ):
        assert found[tuple(pair)] == (predicate, pytest.approx(float(score), abs=1e-5))


def test_given_segments_may_be_invisible_or_none_at_all(pipeline):
    labels = np.full((240, 320), -1, np.int32)
    assert len(pipeline.relate_segments(picture(), labels, 0).pairs) == 0
    assert len(pipeline.relate_segments(picture(), labels, 1).pairs) == 0
    labels[100, 100] = 0  # one pixel; segment 1 has none
    ranked = pipeline.relate_segments(picture(), labels, 2)
    assert sorted(map(tuple, ranked.pairs.tolist())) == [(0, 1), (1, 0)]
    with pytest.raises(ImageError, match="label map"):
        pipeline.relate_segments(picture(), labels[:100], 2)
