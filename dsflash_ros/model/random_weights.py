"""Untrained models that give graphs all the same, for trying the machinery without weights."""

import torch
import torch.nn.functional as F

from dsflash_ros.model.assembly import DSFlash
from dsflash_ros.model.header import Header
from dsflash_ros.model.panoptic import boxes_of, merge_panoptic
from dsflash_ros.model.relaters.coverage import mask_coverage
from dsflash_ros.model.relaters.relater import PairInputs
from dsflash_ros.model.segmenters.segmenter import MASK_STRIDE, Segmentation


def random_model(header: Header, seed: int = 0) -> DSFlash:
    """A seeded, untrained model that finds segments and relations; they mean nothing."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = DSFlash(header.config).eval()
        side = header.config.image_size
        noise = F.interpolate(torch.rand(1, 3, 12, 12), (side, side), mode="bilinear")
    with torch.inference_mode():
        model.segmenter.make_decisive(noise)
        found = model.segmenter(noise)
        model.relations.make_decisive(found.features, _pairs_in(found, model))
    return model


def _pairs_in(found: Segmentation, model: DSFlash) -> PairInputs:
    """All pairs of the segments that are found in one image, whatever their scores."""
    config, stage = model.config, model.relations
    segments = merge_panoptic(found.mask_logits[0], found.class_logits[0], config.num_things, 0, 0)
    masks = segments.masks()
    return PairInputs(
        prepared=stage.prepare(found.features),
        coverage=mask_coverage(masks, stage.cell, stage.grid, MASK_STRIDE),
        boxes=boxes_of(masks) * (2 * MASK_STRIDE / config.image_size) - 1,
        class_ids=segments.class_ids,
        class_probabilities=segments.class_probabilities,
        images=torch.zeros(len(masks), dtype=torch.long),
        pairs=torch.combinations(torch.arange(len(masks))),
    )
