"""What a segmenter learns from: images with the segments that are in view."""

import numpy as np
import torch

from dsflash_ros.data.psg import PsgDataset, PsgWriter
from dsflash_ros.data.shapes import VOCABULARY
from dsflash_ros.training.segmenter.segmenter_data import SegmenterSamples, collate_segmenter


def test_samples_hold_the_segments_in_view_and_then_the_crowds(tmp_path):
    labels = np.full((96, 128), 0, np.int32)
    labels[:30, :40], labels[40:80, 50:90], labels[50:, 100:] = 1, 2, 3
    with PsgWriter(tmp_path, VOCABULARY) as writer:
        writer.add(
            "one",
            np.zeros((96, 128, 3), np.uint8),
            labels,
            np.array([7, 3, 0, 5]),
            np.zeros((0, 3), int),
        )
    record = PsgDataset.open(tmp_path)[0]
    record.crowd[1] = True
    sample = SegmenterSamples([record], 64)[0]
    assert sample.image.shape == (3, 64, 64)
    assert sample.image.dtype == torch.uint8
    assert sample.labels.dtype == torch.int16
    assert sample.content == (48, 64)
    assert sample.class_ids.tolist() == [7, 0, 5]
    assert sample.crowd_ids.tolist() == [3]
    assert [
        sample.labels[y, x].item() for y, x in ((20, 5), (30, 30), (40, 60), (5, 5), (60, 5))
    ] == [0, 1, 2, 3, -1]
    batch = collate_segmenter([sample, sample])
    assert batch.images.shape == (2, 3, 64, 64)
    assert batch.labels.shape == (2, 64, 64)
    assert len(batch.class_ids) == len(batch.crowd_ids) == len(batch.contents) == 2


def test_segments_out_of_view_are_no_targets(shapes):
    """A record's segment that no pixel of the view shows gets no number."""
    samples = SegmenterSamples(shapes, 64)
    view = samples.views[0]
    view.labels[view.labels == 1] = -1
    samples.views = {0: view}
    sample, ids = samples[0], shapes[0].class_ids
    assert sample.class_ids.tolist() == [ids[0], *ids[2:]]
    assert torch.equal(sample.labels == 1, torch.from_numpy(view.labels == 2))
