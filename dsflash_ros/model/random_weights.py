"""Untrained models that give graphs all the same, for trying the machinery without weights."""

import torch
import torch.nn.functional as F

from dsflash_ros.graph.vocabulary import Vocabulary
from dsflash_ros.model.assembly import DSFlash
from dsflash_ros.model.checkpoints import Header
from dsflash_ros.model.config import ARCHITECTURES, ModelConfig
from dsflash_ros.model.panoptic import boxes_of, merge_panoptic
from dsflash_ros.model.relaters.coverage import patch_coverage
from dsflash_ros.model.segmenters.segmenter import MASK_STRIDE, Segmentation

SIZES = {"random": "tiny", **{f"random-{size}": size for size in ARCHITECTURES}}
"""What the names of untrained weights stand for."""


def random_header(name: str) -> Header:
    """What an untrained model is: PSG's vocabulary; the tiny one is made small enough for any
    machine.
    """
    size = SIZES[name]
    small_enough = (
        {"image_size": 320, "neck_dim": 192, "neck_depth": 3, "neck_heads": 4}
        if size == "tiny"
        else {}
    )
    return Header(ModelConfig(size, **small_enough), Vocabulary.psg(), trained=())


def random_model(header: Header, seed: int = 0) -> DSFlash:
    """A seeded, untrained model, for trying the machinery; what it says means nothing."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = DSFlash(header.config)
        _make_decisive(model)
    return model.eval()


def _make_decisive(
    model: DSFlash, sure_queries: int = 10, coverage: float = 0.1, sharpness: float = 6.0
) -> None:
    """Let a few queries of an untrained EoMT be sure of a class and of a small mask, so that graphs
    have nodes.

    Fresh weights give every class about the same probability, and no query would pass the
    threshold. The class head is sharpened and "no object" raised until only `sure_queries` beat it
    on smooth noise. Their masks are made smooth by the upscaling, made to differ (their mean is
    taken away), sharpened, and lowered until each covers about `coverage`. (The lowering uses the
    last LayerNorm: its output sums to zero but for its bias, so that a constant bias on both sides
    of the product shifts all mask logits alike.)
    """
    segmenter = model.eval().segmenter
    side = model.config.image_size
    noise = F.interpolate(torch.rand(1, 3, 12, 12), (side, side), mode="bilinear")
    last, pixels = segmenter.mask_head[-1], segmenter.upscale[-1].norm
    outputs = []
    hook = last.register_forward_hook(lambda module, inputs, output: outputs.append(output[0]))
    with torch.inference_mode():
        for block in segmenter.upscale:
            block.conv1.weight.copy_(
                block.conv1.weight.mean((2, 3), keepdim=True).expand_as(block.conv1.weight)
            )
            block.conv2.weight.fill_(1 / 9)
        segmenter.class_head.weight.mul_(100)[-1] = 0
        found = segmenter(noise)
        best = found.class_logits[0, :, :-1].max(-1).values.sort(descending=True)
        segmenter.class_head.bias[-1] = best.values[sure_queries - 1 : sure_queries + 1].mean()
        sure = best.indices[:sure_queries]
        last.bias.sub_(outputs[0][sure].mean(0))
        logits = segmenter(noise).mask_logits[0, sure]
        scale = sharpness / logits.std()
        last.weight.mul_(scale)
        last.bias.mul_(scale).sub_(1)
        pixels.bias.fill_((logits * scale).flatten()[::7].quantile(1 - coverage) / len(last.bias))
        _spread_relations(model, segmenter(noise))
    hook.remove()


def _spread_relations(model: DSFlash, found: Segmentation, spread: float = 2.0) -> None:
    """Make where a pair lies count, and centre and spread the relation logits, so that scores and
    predicates differ.
    """
    config, relations, last = model.config, model.relations, model.relations.head[-1]
    relations.patch_embed.weight.mul_(0.01)
    relations.location[-1].weight.mul_(50)
    masks = merge_panoptic(
        found.mask_logits[0], found.class_logits[0], config.num_things, 0, 0
    ).masks()
    logits = relations(
        relations.embed_patches(found.features),
        patch_coverage(masks, config, MASK_STRIDE),
        boxes_of(masks) * (2 * MASK_STRIDE / config.image_size) - 1,
        torch.zeros(len(masks), dtype=torch.long),
        torch.combinations(torch.arange(len(masks))),
    ).flatten(0, 1)
    centre = logits.mean(0)
    scale = spread / (logits - centre).std()
    last.weight.mul_(scale)
    last.bias.sub_(centre).mul_(scale)
