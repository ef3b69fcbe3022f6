"""Batches in which segments that the segmenter finds take the place of true ones."""

import numpy as np
import torch

from dsflash_ros.model.checkpoints import Header
from dsflash_ros.model.segmenters.segmenter import Segmentation
from dsflash_ros.training.relations.found_segments import find_segments, inputs_of_found
from dsflash_ros.training.relations.relation_data import RelationBatch


@torch.no_grad()
def with_found_segments(
    batch: RelationBatch,
    segmentation: Segmentation,
    header: Header,
    cell: int,
    grid: int,
    negative_share: float,
    random: np.random.Generator,
    share: float = 1.0,
) -> RelationBatch:
    """The batch with the segments that the segmenter found in place of the true ones.

    Pairs are sampled anew, see `inputs_of_found`. `header` is the weights', `cell` and `grid`
    are the relation stage's.
    `share`: of the images, drawn at random; the others keep their true segments.
    """
    device = batch.counts.device
    parts, start = [], 0
    for image in range(len(batch.counts)):
        part = batch.part(image)
        if random.random() < share:
            content = tuple(batch.contents[image].tolist())
            found = find_segments(segmentation, image, header, content)
            truth = (batch.labels[image], part["class_ids"], part["relations"])
            part = inputs_of_found(found, *truth, cell, grid, negative_share, random)
        count = len(part["class_ids"])
        part["relations"] = part["relations"] + part["relations"].new_tensor([start, start, 0])
        part["pairs"] = part["pairs"] + start
        part["counts"] = torch.tensor([count])
        parts.append(part)
        start += count
    return batch._replace(
        **{name: torch.cat([part[name].to(device) for part in parts]) for name in parts[0]}
    )
