"""A training step of the relation stage, ours against a straightforward one, side by side.

    python benchmarks/relation_step.py [--size small] [--images 4] [--segments 10] [--repeat 10] [--json FILE]

Both take the same images (as features of the frozen segmenter and full-resolution masks), the same pairs in both
orders, and minimise the same loss; their gradients are compared before anything is timed. The straightforward step
does for each order of each pair what the paper's Fig. 4 draws: pool its two masks, embed the image's patches, add the
mask embedding, run all tokens through all blocks. It shares nothing but the features. All pairs of a chunk go
together in both.
"""

import argparse
import time
from pathlib import Path
from statistics import median

import torch
import torch.nn.functional as F

from dsflash_ros.bench import report
from dsflash_ros.model.config import CELLS, PATCH, ModelConfig
from dsflash_ros.model.relation import RelationStage, label_coverage
from dsflash_ros.training.relation_loss import PairInputs, batch_losses


def make_batch(config: ModelConfig, images: int, segments: int) -> dict:
    """Random features, label maps, boxes, all pairs of each image, random targets."""
    generator = torch.Generator().manual_seed(0)
    width = 4 * config.architecture.dim
    coarse = torch.randint(segments, (images, 1, 20, 20), generator=generator).float()
    pairs = torch.combinations(torch.arange(segments))
    return {
        "features": torch.randn(images, width, config.grid, config.grid, generator=generator),
        "labels": F.interpolate(coarse, config.image_size)[:, 0].long(),
        "boxes": torch.rand(images * segments, 4, generator=generator) * 2 - 1,
        "image_of": torch.arange(images).repeat_interleave(segments),
        "pairs": torch.cat([pairs + start * segments for start in range(images)]),
        "targets": torch.rand(images * len(pairs), 2, config.num_predicates + 1, generator=generator).round(),
    }


def our_step(stage: RelationStage, config: ModelConfig, batch: dict, pairs_at_once: int) -> None:
    """What `RelationTraining` does with a batch, the coverage included, which the loading processes compute."""
    segments = len(batch["boxes"]) // len(batch["labels"])
    coverage = torch.cat([label_coverage(labels, segments, config) for labels in batch["labels"]])
    inputs = PairInputs(stage.embed_patches(batch["features"]), coverage, batch["boxes"], batch["image_of"])
    batch_losses(stage, inputs, batch["pairs"], batch["targets"], 1.0, pairs_at_once)[0].backward()


def straightforward_step(stage: RelationStage, config: ModelConfig, batch: dict, pairs_at_once: int) -> None:
    """The same loss without sharing."""
    segments = len(batch["boxes"]) // len(batch["labels"])
    masks = torch.cat([labels == torch.arange(segments).view(-1, 1, 1) for labels in batch["labels"]])
    for chunk in torch.arange(len(batch["pairs"])).split(pairs_at_once):
        pairs, targets = batch["pairs"][chunk], batch["targets"][chunk]
        tokens = []
        for order in (pairs, pairs.flip(1)):
            images = batch["image_of"][order[:, 0]]
            shares = [F.avg_pool2d(masks[side].float(), CELLS * PATCH).flatten(1) for side in order.T]
            patches = stage.patch_embed(batch["features"][images]).flatten(2).transpose(1, 2)
            enriched = patches + stage.mask_embedding(*shares)
            location = stage.location(torch.cat([batch["boxes"][side] for side in order.T], dim=1))
            extra = torch.stack((stage.class_token.expand_as(location), location), dim=1)
            shift = F.pad(stage.positions, (0, 0, 2, 0))
            x = torch.cat((extra, enriched), dim=1)
            for block in stage.blocks:
                x = block(x + shift)
            tokens.append(stage.disentangle(x[:, 0]))
        (t_ab, t_ba), (u_ba, u_ab) = tokens
        logits = [stage.head(torch.stack(both, dim=1)) for both in tokens]
        loss = sum(
            F.binary_cross_entropy_with_logits(z, y) / 2 for z, y in zip(logits, (targets, targets.flip(1)), strict=True)
        )
        loss = loss + ((t_ab - u_ab).square() + (t_ba - u_ba).square()).mean()
        (loss * len(chunk) / len(batch["pairs"])).backward()


def gradients(step, stage: RelationStage, *args) -> list[torch.Tensor]:
    """Of one step."""
    stage.zero_grad()
    step(stage, *args)
    return [parameter.grad.clone() for parameter in stage.parameters()]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", default="small")
    parser.add_argument("--images", type=int, default=4)
    parser.add_argument("--segments", type=int, default=10)
    parser.add_argument("--pairs-at-once", type=int, default=32)
    parser.add_argument("--repeat", type=int, default=10)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    config = ModelConfig(args.size)
    torch.manual_seed(0)
    stage = RelationStage(config)
    batch = make_batch(config, args.images, args.segments)
    steps = {"straightforward": straightforward_step, "ours": our_step}
    found = {name: gradients(step, stage, config, batch, args.pairs_at_once) for name, step in steps.items()}
    worst = max(float((a - b).abs().max() / a.abs().max()) for a, b in zip(*found.values(), strict=True))
    assert worst < 1e-3, f"the two do not compute the same gradient: {worst}"

    times = {name: [] for name in steps}
    for _ in range(args.repeat):
        for name, step in steps.items():
            start = time.perf_counter()
            step(stage, config, batch, args.pairs_at_once)
            times[name].append(time.perf_counter() - start)
    count = len(batch["pairs"])
    ratio = median(a / b for a, b in zip(*times.values(), strict=True))
    rows = [
        {"step": name, "pairs": count, "s": round(median(times[name]), 3), "pairs/s": count / median(times[name])}
        for name in steps
    ]
    on = report.machine()
    report.show(f"{args.size}, forward and backward; gradients agree to {worst:.1e}; ratio {ratio:.2f}", rows)
    if args.json:
        settings = {**vars(args), "json": None, "ratio": ratio, "gradient difference": worst}
        report.store(args.json, "relation_step", settings, rows, on)


if __name__ == "__main__":
    main()
