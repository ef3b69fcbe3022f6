"""A training step of the relation stage: ours, and two straightforward ones, side by side.

    python benchmarks/relation_step.py [--size small] [--images 2] [--segments 8] [--repeat 5]
                                       [--json FILE]

All take the same images and full-resolution masks, the same pairs in both orders, and minimise the
same loss. The gradients of those in float32 are compared before anything is timed.

nothing shared    straightforward: each pair is a sample of its own. Its image passes the segmenter,
                  then for each order its masks are pooled, the image's patches are embedded, and
                  all tokens run through all blocks
features shared   the same, but an image passes the segmenter once
ours              what `dsflash train relations` does: masks are pooled once a segment, patches
                  embedded once an image, both orders pass the neck together, and its last block
                  computes only the token that is used
ours, bfloat16    the same in mixed precision, as with `precision=bfloat16`
"""

import argparse
import time
from pathlib import Path
from statistics import median

import torch
import torch.nn.functional as F

from dsflash_ros.bench.results import store
from dsflash_ros.machine import machine
from dsflash_ros.model.assembly import DSFlash
from dsflash_ros.model.config import ModelConfig
from dsflash_ros.model.relaters.coverage import label_coverage
from dsflash_ros.model.relaters.relater import PairInputs, known_classes
from dsflash_ros.text_tables import Row, show
from dsflash_ros.training.relations.relation_loss import batch_losses


def make_batch(config: ModelConfig, images: int, segments: int) -> dict:
    """Random images, label maps, boxes, all pairs of each image, random targets."""
    generator = torch.Generator().manual_seed(0)
    coarse = torch.randint(segments, (images, 1, 20, 20), generator=generator).float()
    pairs = torch.combinations(torch.arange(segments))
    return {
        "images": torch.rand(images, 3, config.image_size, config.image_size, generator=generator),
        "labels": F.interpolate(coarse, config.image_size)[:, 0].long(),
        "boxes": torch.rand(images * segments, 4, generator=generator) * 2 - 1,
        "image_of": torch.arange(images).repeat_interleave(segments),
        "pairs": torch.cat([pairs + start * segments for start in range(images)]),
        "targets": torch.rand(
            images * len(pairs), 2, config.num_predicates + 1, generator=generator
        ).round(),
    }


def our_step(model: DSFlash, batch: dict, pairs_at_once: int) -> None:
    """What `RelationTraining` does with a batch, and the coverage, which its loader computes."""
    stage, segments = model.relations, len(batch["boxes"]) // len(batch["labels"])
    with torch.no_grad():
        features = model.segmenter.features(batch["images"])
    coverage = [
        label_coverage(labels, segments, stage.cell, stage.grid) for labels in batch["labels"]
    ]
    class_ids = torch.zeros(len(batch["boxes"]), dtype=torch.long)
    inputs = PairInputs(
        prepared=stage.prepare(features).float(),
        coverage=torch.cat(coverage),
        boxes=batch["boxes"],
        class_ids=class_ids,
        class_probabilities=known_classes(class_ids, model.config.num_classes),
        images=batch["image_of"],
        pairs=batch["pairs"],
    )
    batch_losses(stage, inputs, batch["targets"], 1.0, pairs_at_once)[0].backward()


def our_step_mixed(model: DSFlash, batch: dict, pairs_at_once: int) -> None:
    """The same in mixed precision."""
    with torch.autocast("cpu", torch.bfloat16):
        our_step(model, batch, pairs_at_once)


def features_shared(model: DSFlash, batch: dict, pairs_at_once: int) -> None:
    """Images pass the segmenter once."""
    with torch.no_grad():
        features = model.segmenter.features(batch["images"])
    straightforward(model, batch, pairs_at_once, lambda images: features[images])


def nothing_shared(model: DSFlash, batch: dict, pairs_at_once: int) -> None:
    """Images pass the segmenter for each pair."""

    @torch.no_grad()
    def features(images: torch.Tensor) -> torch.Tensor:
        return model.segmenter.features(batch["images"][images])

    straightforward(model, batch, pairs_at_once, features)


def straightforward(model: DSFlash, batch: dict, pairs_at_once: int, features_of) -> None:
    """The loss and its gradient, without sharing what pairs have in common."""
    stage, segments = model.relations, len(batch["boxes"]) // len(batch["labels"])
    masks = torch.cat(
        [labels == torch.arange(segments).view(-1, 1, 1) for labels in batch["labels"]]
    )
    for chunk in torch.arange(len(batch["pairs"])).split(pairs_at_once):
        pairs, targets = batch["pairs"][chunk], batch["targets"][chunk]
        features = features_of(batch["image_of"][pairs[:, 0]])
        both = []
        for order in (pairs, pairs.flip(1)):
            shares = [F.avg_pool2d(masks[side].float(), stage.cell).flatten(1) for side in order.T]
            patches = stage.prepare(features)
            enriched = patches + stage.mask_embedding(*shares)
            location = stage.location(torch.cat([batch["boxes"][side] for side in order.T], dim=1))
            extra = torch.stack((stage.class_token.expand_as(location), location), dim=1)
            shift = F.pad(stage.positions, (0, 0, 2, 0))
            x = torch.cat((extra, enriched), dim=1)
            for block in stage.blocks:
                x = block(x + shift)
            both.append(stage.disentangle(x[:, 0]))
        (t_ab, t_ba), (u_ba, u_ab) = (tokens.unbind(1) for tokens in both)
        loss = ((t_ab - u_ab).square() + (t_ba - u_ba).square()).mean()
        for tokens, target in zip(both, (targets, targets.flip(1)), strict=True):
            loss = loss + F.binary_cross_entropy_with_logits(stage.head(tokens), target) / 2
        (loss * len(chunk) / len(batch["pairs"])).backward()


EXACT = {"nothing shared": nothing_shared, "features shared": features_shared, "ours": our_step}
STEPS = EXACT | {"ours, bfloat16": our_step_mixed}


def gradients(step, model: DSFlash, *args) -> list[torch.Tensor]:
    """Of one step, for each parameter of the relation stage."""
    model.relations.zero_grad()
    step(model, *args)
    return [parameter.grad.clone() for parameter in model.relations.parameters()]


def largest_difference(model: DSFlash, *args) -> float:
    """Between our gradient and the others, over the largest value in a parameter's gradient."""
    ours = gradients(our_step, model, *args)
    worst = 0.0
    for step in EXACT.values():
        for a, b in zip(gradients(step, model, *args), ours, strict=True):
            worst = max(worst, float((a - b).abs().max() / b.abs().max()))
    return worst


def times_of(model: DSFlash, repeat: int, *args) -> dict[str, list[float]]:
    """Seconds of each step, taken in turn."""
    times: dict[str, list[float]] = {name: [] for name in STEPS}
    for _ in range(repeat):
        for name, step in STEPS.items():
            start = time.perf_counter()
            step(model, *args)
            times[name].append(time.perf_counter() - start)
    return times


def row_of(name: str, times: dict[str, list[float]], pairs: int) -> Row:
    """Medians. Ratios are taken within a turn, so that a slower machine slows both."""
    seconds = median(times[name])
    ratio = median(a / b for a, b in zip(times[name], times["ours"], strict=True))
    row = {"step": name, "pairs": pairs, "s": seconds}
    return row | {"pairs/s": pairs / seconds, "time / ours": ratio}


def main() -> None:
    """Compare the gradients, measure, print, store."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", default="small")
    parser.add_argument("--images", type=int, default=2)
    parser.add_argument("--segments", type=int, default=8)
    parser.add_argument("--pairs-at-once", type=int, default=16)
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    on = machine()
    torch.manual_seed(0)
    model = DSFlash(ModelConfig(args.size))
    batch = make_batch(model.config, args.images, args.segments)
    worst = largest_difference(model, batch, args.pairs_at_once)
    assert worst < 1e-3, f"they do not compute the same gradient: {worst}"
    times = times_of(model, args.repeat, batch, args.pairs_at_once)
    rows = [row_of(name, times, len(batch["pairs"])) for name in STEPS]
    show(f"{args.size}: segmenter, forward and backward; gradients agree to {worst:.1e}", rows)
    if args.json:
        settings = {key: value for key, value in vars(args).items() if key != "json"}
        store(args.json, "relation_step", {**settings, "gradient difference": worst}, rows, on)


if __name__ == "__main__":
    main()
