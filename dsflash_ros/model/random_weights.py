"""Untrained models that give graphs all the same, for trying the machinery without weights."""

import torch
import torch.nn.functional as F

from dsflash_ros.graph.vocabulary import Vocabulary
from dsflash_ros.model.assembly import DSFlash
from dsflash_ros.model.checkpoints import Header
from dsflash_ros.model.config import ARCHITECTURES, ModelConfig
from dsflash_ros.model.panoptic import boxes_of, merge_panoptic
from dsflash_ros.model.relaters.coverage import mask_coverage
from dsflash_ros.model.relaters.relater import PairInputs
from dsflash_ros.model.segmenters.segmenter import MASK_STRIDE, Segmentation

_SMALL_NECK = {"neck_dim": 192, "neck_depth": 3, "neck_heads": 4}
_TINY = {"size": "tiny", "image_size": 320, **_SMALL_NECK}
"""Small enough for any machine."""

_SWIN_T = {"segmenter": "mask2former", "backbone": "swin_tiny", "num_queries": 100}
_LITE0 = {
    "segmenter": "mask2former",
    "backbone": "lite0",
    "image_size": 384,
    "num_queries": 48,
    **_SMALL_NECK,
    "segmenter_settings": {
        "dim": 128,
        "encoder_ffn": 512,
        "decoder_ffn": 512,
        "decoder_layers": 6,
    },
}
_ORIGINAL = {"p1": 0, "p2": 0, "p3": 6, "pixel_embedding": "conv", "recalibration": "none"}

RANDOM = {
    "random": _TINY,
    **{f"random-{size}": {"size": size} for size in ARCHITECTURES},
    "random-tiny": _TINY,
    "random-proscale-swin-t": _SWIN_T,
    "random-proscale-lite0": _LITE0,
    "random-mask2former-swin-t": {**_SWIN_T, "segmenter_settings": _ORIGINAL},
}
"""By the names of untrained weights: what of `ModelConfig` is not its default."""


def random_header(name: str) -> Header:
    """What an untrained model is, by its name in `RANDOM`; it has PSG's vocabulary."""
    return Header(ModelConfig(**RANDOM[name]), Vocabulary.psg(), trained=())


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
