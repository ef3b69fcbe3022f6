"""Training on the segmenter's own masks instead of the true ones (supplement section 14)."""

import numpy as np
import torch

from dsflash_ros.evaluation.matching import match_segments
from dsflash_ros.model.config import ModelConfig
from dsflash_ros.model.panoptic import boxes_of, merge_panoptic
from dsflash_ros.model.relaters.coverage import label_coverage
from dsflash_ros.model.segmenters.segmenter import Segmentation
from dsflash_ros.training.relations.pairs import sample_pairs
from dsflash_ros.training.relations.relation_data import RelationBatch


@torch.no_grad()
def with_found_segments(
    batch: RelationBatch,
    segmentation: Segmentation,
    config: ModelConfig,
    cell: int,
    grid: int,
    negative_share: float,
    random: np.random.Generator,
) -> RelationBatch:
    """The batch with the segments that the segmenter found in place of the true ones.

    Each found segment has the relations of the true one that it matches; relations of true segments
    that were not found are lost. Pairs are sampled anew, see `sample_pairs`. `cell` and `grid` are
    the relation stage's.
    """
    device = batch.counts.device
    parts, start = [], 0
    for image in range(len(batch.counts)):
        relations, true_classes = batch.of_image(image)
        height, width = batch.contents[image].tolist()
        found = merge_panoptic(
            segmentation.mask_logits[image],
            segmentation.class_logits[image],
            config.num_things,
            side=config.image_size,
            crop=(height, width),
        )
        labels = torch.full((config.image_size, config.image_size), -1, device=device)
        labels[:height, :width] = found.labels
        true_labels = batch.labels[image].cpu().numpy()
        matching = match_segments(
            true_labels,
            true_classes.cpu().numpy(),
            labels.cpu().numpy(),
            found.class_ids.cpu().numpy(),
        )
        relations = _carry_over(relations.cpu(), matching, len(true_classes))
        pairs = sample_pairs(relations, len(found), negative_share, random)
        parts.append(
            {
                "counts": torch.tensor([len(found)]),
                "coverage": label_coverage(labels, len(found), cell, grid),
                "boxes": boxes_of(found.masks()) * (2 / config.image_size) - 1,
                "class_ids": found.class_ids,
                "class_probabilities": found.class_probabilities,
                "relations": relations + torch.tensor([start, start, 0]),
                "pairs": pairs + start,
            }
        )
        start += len(found)
    return batch._replace(
        **{name: torch.cat([part[name].to(device) for part in parts]) for name in parts[0]}
    )


def _carry_over(relations: torch.Tensor, matching: np.ndarray, num_true: int) -> torch.Tensor:
    """Relations (R, 3) of true segments in terms of the found ones, those of lost ones left out.

    `matching` has for each found segment the true one that it matches, or -1.
    """
    found = torch.full((num_true,), -1)
    matched = np.flatnonzero(matching >= 0)
    found[torch.from_numpy(matching[matched])] = torch.from_numpy(matched)
    carried = torch.cat((found[relations[:, :2]], relations[:, 2:]), dim=1)
    return carried[(carried[:, :2] >= 0).all(1)]
