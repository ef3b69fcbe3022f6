"""What SPADE's selection of pairs (Eq. 13) would cost: relations lost for pairs not scored.

    python benchmarks/kept_pairs.py WEIGHTS DATASET [--images 500] [--json FILE]

WEIGHTS have the relation stage "rgt", trained with a `pair_loss`. For thresholds eta on the cosine
of two segments' nodes, it tells which share of all pairs is above, and which share of those that
are related, in the split "test" of DATASET, with true masks and classes. The last row keeps the
pairs that touch instead, which takes no network.
"""

import argparse
import sys
from collections.abc import Iterable
from itertools import islice
from pathlib import Path

import torch

from dsflash_ros.argument_types import positive
from dsflash_ros.bench.results import store
from dsflash_ros.data.psg import PsgDataset, Record
from dsflash_ros.errors import DSFlashError, WeightsError
from dsflash_ros.machine import machine
from dsflash_ros.model.assembly import DSFlash
from dsflash_ros.model.relaters.by_image import ByImage
from dsflash_ros.text_tables import Row, show
from dsflash_ros.training.relations.pairs import pair_targets
from dsflash_ros.training.relations.relation_data import RelationSamples, collate_relations
from dsflash_ros.weights.loading import open_weights

ETAS = (-1.0, 0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.65, 0.8)
ALL = 1e9
"""Unrelated pairs for each relation."""


@torch.inference_mode()
def cosines_of(model: DSFlash, records: Iterable[Record]) -> tuple[torch.Tensor, ...]:
    """Of all pairs: the cosine, whether they are related, and whether they touch; each (n,).

    Raises `WeightsError` for a stage whose nodes have not learned which pairs are related.
    """
    stage, config = model.relations, model.config
    if not stage.pair_loss:
        raise WeightsError("these weights were trained without a pair_loss; give others")
    samples = RelationSamples(list(records), config, stage.cell, stage.grid, negative_share=ALL)
    found = []
    for index in range(len(samples)):
        batch = collate_relations([samples[index]])
        features = model.segmenter.features(batch.images.float() / 255)
        inputs = batch.pair_inputs(stage.prepare(features))
        targets = pair_targets(batch.relations, batch.pairs, config.num_predicates)
        by_image = ByImage(inputs.images, 1)
        overlaps = by_image.pick_pairs(stage.grown(inputs, by_image)[1], inputs.pairs)
        related = targets[..., 1:].flatten(1).any(1)
        found.append((stage.relate(inputs).relatedness, related, overlaps > 0))
    return tuple(map(torch.cat, zip(*found, strict=True)))


def rows_of(cosines: torch.Tensor, related: torch.Tensor, touching: torch.Tensor) -> list[Row]:
    """Shares of pairs and of related pairs that each rule keeps."""
    rules = [(f"cosine > {eta:g}", cosines > eta) for eta in ETAS] + [("touching", touching)]
    return [
        {
            "kept": rule,
            "of all pairs": round(float(kept.float().mean()), 4),
            "of related pairs": round(float(kept[related].float().mean()), 4),
        }
        for rule, kept in rules
    ]


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("weights", metavar="WEIGHTS", help="a checkpoint with the stage rgt")
    parser.add_argument("dataset", metavar="DATASET", help="psg.json or its folder")
    parser.add_argument("--images", type=positive, default=500, help="to look at (default: 500)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="store everything there, too")
    return parser.parse_args()


def main() -> int:
    """Look, print, store."""
    args = parse()
    try:
        records = list(islice(PsgDataset.open(args.dataset, "test"), args.images))
        rows = rows_of(*cosines_of(open_weights(args.weights).load().eval(), records))
        show(f"pairs kept on {len(records)} images", rows)
        if args.json:
            store(args.json, "kept_pairs", {"images": len(records)}, rows, machine())
    except DSFlashError as error:
        print(f"kept_pairs: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
