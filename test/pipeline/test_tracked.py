import itertools

import numpy as np
import pytest
import torch
from places import ROOT

from dsflash_ros.pipeline.options import Options
from dsflash_ros.pipeline.pipeline import SceneGraphPipeline
from dsflash_ros.pipeline.tracked import TrackedPipeline, untracked
from dsflash_ros.sources import open_source
from dsflash_ros.tracking.tracking_options import TrackingOptions


@pytest.fixture(scope="module")
def frames():
    with open_source(str(ROOT / "examples/drive")) as source:
        return [frame for frame, _ in zip(source, range(6), strict=False)]


@pytest.fixture(scope="module")
def pipeline():
    return SceneGraphPipeline.from_weights(device="cpu", precision="float32")


@pytest.fixture
def for_trackers(pipeline):
    pipeline.for_trackers = True
    yield pipeline
    pipeline.for_trackers = False


def test_what_goes_to_trackers_holds_what_users_get_without_one(pipeline, frames):
    """Thresholds and counts cut the graph down to the very one of the pipeline alone."""
    for options in (Options(), Options(relation_threshold=0.6, max_relations=3)):
        pipeline.options = options
        plain = pipeline(frames[0].rgb)
        pipeline.for_trackers = True
        full = pipeline(frames[0].rgb)
        pipeline.for_trackers = False
        assert len(full.relations) > len(plain.relations) and plain.appearance is None
        cut = untracked(full, pipeline.options)
        assert (cut.nodes, cut.relations) == (plain.nodes, plain.relations)
        assert cut.appearance is None
    pipeline.options = Options()


@torch.inference_mode()
def test_appearance_is_the_mean_of_the_features_in_each_mask(for_trackers, frames):
    graph = for_trackers(frames[0].rgb)
    seen, box = for_trackers.segment(frames[0].rgb)
    assert graph.appearance.shape == (len(graph.nodes), seen.features.shape[1])
    features = seen.features[0]
    fitted = box.sample_labels(graph.panoptic & 0xFFFF)
    for row, node in zip(graph.appearance, graph.nodes, strict=True):
        total, weight = np.zeros(len(features)), 0
        for y in range(features.shape[1]):
            for x in range(features.shape[2]):
                share = (fitted[16 * y : 16 * y + 16, 16 * x : 16 * x + 16] == node.id).mean()
                if share == share:  # padding has no pixels
                    total, weight = total + share * features[:, y, x], weight + share
        # the source image samples the network's frame, and is sampled back: edges differ a little
        cosine = total @ row / np.linalg.norm(total) / np.linalg.norm(row)
        assert cosine > 0.995 or node.area < 2000


def test_low_resolution_masks_see_nearly_the_same(for_trackers, frames):
    fine = for_trackers(frames[0].rgb)
    for_trackers.options = Options(low_resolution_masks=True)
    coarse = for_trackers(frames[0].rgb)
    for_trackers.options = Options()
    large = max(range(len(fine.nodes)), key=lambda index: fine.nodes[index].area)
    name = fine.nodes[large].label
    other = [n.label for n in coarse.nodes].index(name)
    np.testing.assert_allclose(fine.appearance[large], coarse.appearance[other], atol=0.3)


def test_graphs_of_a_drive_belong_together(pipeline, frames):
    tracked = TrackedPipeline(pipeline, TrackingOptions(track_hold_s=0.0))
    graphs = [tracked(frame.rgb, frame.stamp, "drive") for frame in frames]
    ids = [{node.track_id for node in graph.nodes} for graph in graphs]
    assert all(len(one & other) >= 0.6 * len(one) for one, other in itertools.pairwise(ids))
    assert all(graph.latency_ms["track"] > 0 for graph in graphs)
    total = sum(ms for stage, ms in graphs[0].latency_ms.items() if stage != "total")
    assert graphs[0].latency_ms["total"] == pytest.approx(total, rel=0.05)
    assert graphs[0].source == "drive" and graphs[0].appearance is None
    pipeline.for_trackers = False
