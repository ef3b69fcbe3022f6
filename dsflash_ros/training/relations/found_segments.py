"""What a training step needs of segments that the segmenter found (supplement section 14)."""

from typing import NamedTuple

import numpy as np
import torch

from dsflash_ros.evaluation.matching import match_segments
from dsflash_ros.model.checkpoints import Header
from dsflash_ros.model.panoptic import boxes_of, merge_panoptic
from dsflash_ros.model.relaters.coverage import label_coverage
from dsflash_ros.model.segmenters.segmenter import Segmentation
from dsflash_ros.training.relations.pairs import sample_pairs


class FoundSegments(NamedTuple):
    """The segments that a segmenter found in an image.

    Attributes:
        labels: (side, side) int, the segment of each pixel of the network input, or -1.
        class_ids: (S,) int64.
        class_probabilities: (S, classes) float32.
    """

    labels: torch.Tensor
    class_ids: torch.Tensor
    class_probabilities: torch.Tensor


def find_segments(
    segmentation: Segmentation, image: int, header: Header, content: tuple[int, int]
) -> FoundSegments:
    """The segments of one image of a batch, merged as the pipeline does by default.

    `header` is the weights', `content` height and width of the network input that show the image.
    """
    config = header.config
    found = merge_panoptic(
        segmentation.mask_logits[image],
        segmentation.class_logits[image],
        config.num_things,
        **header.all_thresholds,
        side=config.image_size,
        crop=content,
    )
    labels = found.labels.new_full((config.image_size, config.image_size), -1)
    labels[: content[0], : content[1]] = found.labels
    return FoundSegments(labels, found.class_ids, found.class_probabilities)


def inputs_of_found(
    found: FoundSegments,
    true_labels: torch.Tensor,
    true_classes: torch.Tensor,
    relations: torch.Tensor,
    cell: int,
    grid: int,
    negative_share: float,
    random: np.random.Generator,
) -> dict[str, torch.Tensor]:
    """Fields of a `RelationSample` whose segments are the found ones.

    Each found segment has the relations of the true one that it matches; relations of true segments
    that were not found are lost.

    Args:
        found: the segments.
        true_labels: (side, side) int, the true segment of each pixel of the network input, or -1.
        true_classes: (T,) int64, of the true segments.
        relations: (R, 3) int64, of the true segments.
        cell, grid: of the relation stage.
        negative_share, random: see `sample_pairs`.
    """
    matching = match_segments(
        true_labels.cpu().numpy(),
        true_classes.cpu().numpy(),
        found.labels.cpu().numpy(),
        found.class_ids.cpu().numpy(),
    )
    carried = _carry_over(relations.cpu(), matching, len(true_classes))
    count = len(found.class_ids)
    numbers = torch.arange(count, device=found.labels.device).view(-1, 1, 1)
    return {
        "coverage": label_coverage(found.labels, count, cell, grid),
        "boxes": boxes_of(found.labels == numbers) * (2 / len(found.labels)) - 1,
        "class_ids": found.class_ids,
        "class_probabilities": found.class_probabilities,
        "relations": carried,
        "pairs": sample_pairs(carried, count, negative_share, random),
    }


def _carry_over(relations: torch.Tensor, matching: np.ndarray, num_true: int) -> torch.Tensor:
    """Relations (R, 3) of true segments in terms of the found ones, those of lost ones left out.

    `matching` has for each found segment the true one that it matches, or -1.
    """
    found = torch.full((num_true,), -1)
    matched = np.flatnonzero(matching >= 0)
    found[torch.from_numpy(matching[matched])] = torch.from_numpy(matched)
    carried = torch.cat((found[relations[:, :2]], relations[:, 2:]), dim=1)
    return carried[(carried[:, :2] >= 0).all(1)]
