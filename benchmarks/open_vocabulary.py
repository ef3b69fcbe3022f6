"""Predicates that training never saw: how many are told by their words alone.

    python benchmarks/open_vocabulary.py DATASET --test DATASET2 --text-encoder ENCODER --out FOLDER
        [--splits NAME…] [--stages NAME…] [--seeds 1] [--set KEY=VALUE…] [--json FILE]

For each split of `open_vocabulary_splits.json`, relation stages with an open head learn from the
base predicates alone, and are asked for the novel ones. All scores are means over predicates of
the share of related pairs, of true segments, whose predicate is told (macro accuracy), on the split
"test" of DATASET2:

novel           only the novel names are offered (chance: one over their number)
ConSE           the same from base probabilities, weighted by the similarity of words
permuted        the same with the novel names' embeddings exchanged
trained         the same of a stage that learned all predicates
all, novel      all names are offered, related pairs of novel predicates
all, base       all names are offered, related pairs of base predicates
harmonic        of these two

Where all names are offered, an offset is added to base logits. It is chosen on base predicates that
play the novel ones, with a stage that did not learn them, on the split "test" of DATASET.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from functools import cache
from itertools import islice
from pathlib import Path
from statistics import mean
from typing import NamedTuple

import numpy as np
import torch
from torch.utils.data import DataLoader

from dsflash_ros.argument_types import positive
from dsflash_ros.bench.results import store
from dsflash_ros.data.psg import PsgDataset
from dsflash_ros.errors import DSFlashError
from dsflash_ros.graph.vocabulary import Vocabulary
from dsflash_ros.language.naming import embedded_predicates
from dsflash_ros.language.neural_encoders import open_encoder
from dsflash_ros.machine import machine
from dsflash_ros.model.layers.named_logits import OpenLogits
from dsflash_ros.model.relaters.gated import GatedRelations
from dsflash_ros.text_tables import Row, show
from dsflash_ros.training.configuration import RelationConfig, load_config
from dsflash_ros.training.relations.relation_data import RelationSamples, collate_relations
from dsflash_ros.training.relations.train_relations import filled_cache, train_relations
from dsflash_ros.weights.loading import open_weights

SPLITS = Path(__file__).parent / "open_vocabulary_splits.json"

STAGES = {"objects": ["class", "pooled", "contact", "graph"], "classes and boxes": ["class"]}
"""Parts of the relation stage "objects", by the name of the row."""

OFFSETS = np.linspace(-12, 0, 49)
"""Of base logits, to choose from."""

CONSE_NAMES = 5
"""Base predicates whose embeddings ConSE averages."""


class Related(NamedTuple):
    """Related directed pairs of a data set.

    Attributes:
        x: (n, dim) float32, features of the pairs before the head.
        holds: (n, predicates) bool, which predicates of the data set hold.
    """

    x: torch.Tensor
    holds: np.ndarray


def train(args: argparse.Namespace, stage: str, novel: Sequence[str], seed: int) -> Path:
    """Train a stage without the novel predicates, unless that was done; returns its weights."""
    words = "-".join(name.replace(" ", "_") for name in sorted(novel)) or "all"
    out = args.out / f"{stage.replace(' ', '_')}-{words}-{seed}"
    weights = out / "last.safetensors"
    if not weights.exists():
        train_relations(_config(args, stage, novel, seed, out))
    return weights


def _config(
    args: argparse.Namespace, stage: str, novel: Sequence[str], seed: int, out: Path
) -> RelationConfig:
    settings = {"dropout": 0.1, "parts": STAGES[stage]}
    given = [f"dataset={args.dataset}", f"segmenter={args.segmenter}", f"out={out}"]
    given += [f"seed={seed}", "val_split=none", f"feature_cache={args.out / 'cache'}"]
    given += [f"text_encoder={args.text_encoder}", f"relater_settings={json.dumps(settings)}"]
    given += [f"predicates_novel={json.dumps(list(novel))}"]
    return load_config(RelationConfig, "toyroom", [*given, *args.set], "relations")


@torch.inference_mode()
def related_pairs(args: argparse.Namespace, weights: Path, dataset: PsgDataset) -> Related:
    """The related pairs of true segments, as a relation stage sees them."""
    opened = open_weights(weights)
    model = opened.load()
    config = _config(args, "objects", (), 0, args.out)
    records = list(islice(dataset, args.images))
    stored = filled_cache(config, model, opened.header, records)
    all_predicates = len(dataset.vocabulary.predicates)
    cells = model.relations.cell, model.relations.grid
    samples = RelationSamples(
        records, opened.header.config, *cells, cache=stored, predicates=all_predicates
    )
    x, holds = [], []
    for batch in DataLoader(samples, 16, collate_fn=collate_relations):
        pairs, index = batch.relations[:, :2].unique(dim=0, return_inverse=True)
        prepared = model.relations.prepare(batch.images.float())
        x.append(model.relations.relate(batch.pair_inputs(prepared, pairs)).directions[:, 0])
        hold = np.zeros((len(pairs), all_predicates), bool)
        hold[index.numpy(), batch.relations[:, 2].numpy()] = True
        holds.append(hold)
    return Related(torch.cat(x), np.concatenate(holds))


def macro_accuracy(found: np.ndarray, holds: np.ndarray, asked: Sequence[int]) -> float:
    """Mean over the asked predicates of the share of their pairs whose told predicate holds.

    `found`: (n,) told predicates; `holds`: (n, predicates) bool.
    """
    right = holds[np.arange(len(found)), found]
    shares = [right[holds[:, one]].mean() for one in asked if holds[:, one].any()]
    return float(np.mean(shares))


class Asked:
    """A relation stage's head, asked about related pairs."""

    def __init__(self, stage: GatedRelations, related: Related, vocabulary: Vocabulary) -> None:
        self._head: OpenLogits = stage.head
        self._related, self._names = related, vocabulary.predicates

    @torch.inference_mode()
    def logits(self, embeddings: torch.Tensor) -> np.ndarray:
        """(n, names), without that of "no relation"."""
        self._head[-1].set_names(embeddings)
        return self._head(self._related.x)[:, 1:].numpy()

    def told(self, logits: np.ndarray, names: Sequence[str], asked: Sequence[str]) -> float:
        """Macro accuracy over the predicates `asked` when `names`, as of `logits`, are offered."""
        ids = np.array([self._names.index(name) for name in names])
        wanted = [self._names.index(name) for name in asked]
        return macro_accuracy(ids[logits.argmax(1)], self._related.holds, wanted)


def conse(logits: np.ndarray, base: np.ndarray, novel: np.ndarray) -> np.ndarray:
    """Scores of novel names: cosines with the mean of base names' embeddings, weighted by their
    probabilities (Norouzi et al., "Zero-Shot Learning by Convex Combination", ICLR 2014).
    """
    odds = np.exp(logits - logits.max(1, keepdims=True))
    cut = np.sort(odds, axis=1)[:, [-min(CONSE_NAMES, odds.shape[1])]]
    odds = np.where(odds >= cut, odds, 0)
    mixed = (odds / odds.sum(1, keepdims=True)) @ base
    return (mixed / np.linalg.norm(mixed, axis=1, keepdims=True)) @ novel.T


def harmonic(a: float, b: float) -> float:
    return 2 * a * b / (a + b) if a + b else 0.0


def offered_all(
    asked: Asked, base: Sequence[str], novel: Sequence[str], embed, offset: float
) -> tuple[float, float]:
    """Macro accuracies of novel and of base predicates when all names are offered."""
    logits = asked.logits(embed([*base, *novel]))
    logits[:, : len(base)] += offset
    names = [*base, *novel]
    return asked.told(logits, names, novel), asked.told(logits, names, base)


def measure(args: argparse.Namespace, stage: str, split: dict, seed: int, data: dict) -> Row:
    """All scores of a split."""
    predicates = data["test"].vocabulary.predicates
    novel, rehearsed = split["novel"], split["rehearsed"]
    base = [name for name in predicates if name not in novel]
    embed = data["embed"]

    def asked(weights: Path, dataset: str) -> Asked:
        related = related_pairs(args, weights, data[dataset])
        return Asked(open_weights(weights).load().relations, related, data[dataset].vocabulary)

    rehearsal = asked(train(args, stage, [*novel, *rehearsed], seed), "val")
    known = [name for name in base if name not in rehearsed]
    offset = max(
        OFFSETS, key=lambda one: harmonic(*offered_all(rehearsal, known, rehearsed, embed, one))
    )
    model = asked(train(args, stage, novel, seed), "test")
    row = {"novel": model.told(model.logits(embed(novel)), novel, novel)}
    base_logits = model.logits(embed(base))
    scores = conse(base_logits, embed(base).numpy(), embed(novel).numpy())
    row["ConSE"] = model.told(scores, novel, novel)
    turned = [*novel[1:], novel[0]]
    row["permuted"] = model.told(model.logits(embed(turned)), novel, novel)
    everything = asked(train(args, stage, (), seed), "test")
    row["trained"] = everything.told(everything.logits(embed(novel)), novel, novel)
    row["all, novel, no offset"] = offered_all(model, base, novel, embed, 0.0)[0]
    row["all, novel"], row["all, base"] = offered_all(model, base, novel, embed, offset)
    row["harmonic"] = harmonic(row["all, novel"], row["all, base"])
    return row | {"offset": float(offset)}


def rows_of(args: argparse.Namespace) -> list[Row]:
    """A row for each stage and split, means over the seeds."""
    encoder = open_encoder(args.text_encoder)
    data = {
        "val": PsgDataset.open(args.dataset, "test"),
        "test": PsgDataset.open(args.test, "test"),
        "embed": cache_of(encoder),
    }
    splits = json.loads(SPLITS.read_text())
    rows = []
    for stage in args.stages:
        for name in args.splits or splits:
            found = [measure(args, stage, splits[name], seed, data) for seed in range(args.seeds)]
            row = {key: round(mean(one[key] for one in found), 4) for key in found[0]}
            rows.append({"stage": stage, "split": name, "seeds": args.seeds, **row})
            print(json.dumps(rows[-1]), flush=True)
    return rows


def cache_of(encoder):
    """Embeddings of predicates' names as they are, kept."""
    from dsflash_ros.model.language import Language

    language = Language("", encoder.sha256)

    @cache
    def one(name: str) -> torch.Tensor:
        return embedded_predicates(encoder, language, [name])[0]

    return lambda names: torch.stack([one(name) for name in names])


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("dataset", metavar="DATASET", help="psg.json or its folder: to learn from")
    parser.add_argument("--test", metavar="DATASET2", required=True, help="to evaluate on")
    parser.add_argument("--text-encoder", required=True, help="folder or hub id")
    parser.add_argument("--segmenter", default="toyroom", help="weights (default: toyroom)")
    parser.add_argument("--out", type=Path, required=True, help="folder of the runs")
    parser.add_argument("--splits", nargs="+", metavar="NAME", help="(default: all)")
    parser.add_argument("--stages", nargs="+", choices=STAGES, default=list(STAGES), metavar="NAME")
    parser.add_argument("--seeds", type=positive, default=1, help="runs of a stage (default: 1)")
    parser.add_argument("--set", nargs="+", default=[], metavar="KEY=VALUE", help="for all runs")
    parser.add_argument("--images", type=positive, default=500, help="to test (default: 500)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="store everything there, too")
    return parser.parse_args()


def main() -> int:
    """Train, evaluate, print, store."""
    args = parse()
    try:
        rows = rows_of(args)
        show("predicates told, macro accuracy", rows)
        if args.json:
            settings = {"images": args.images, "set": args.set}
            store(args.json, "open_vocabulary", settings, rows, machine())
    except DSFlashError as error:
        print(f"open_vocabulary: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
