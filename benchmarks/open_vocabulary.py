"""Predicates that training never saw: how many are told by their words alone.

    python benchmarks/open_vocabulary.py DATASET --test DATASET2 --text-encoder ENCODER --out FOLDER
        [--splits NAME…] [--stages NAME…] [--set KEY=VALUE…] [--json FILE]

For each split of `open_vocabulary_splits.json`, a stage learns from the base predicates alone, and
is asked for the novel ones. All scores are means over predicates of the share of related pairs, of
true segments, whose predicate is told (macro accuracy), on the split "test" of DATASET2:

novel           only the novel names are offered (chance: one over their number): their logits are
                mixed of those of base names (`dsflash_ros.language.mixing`)
ConSE           the same from base probabilities, weighted by the similarity of words
permuted        the same as novel, with the names' embeddings exchanged
near, distant   novel, of pairs whose boxes' centres are up to, and over, a third of the image's
                width apart
words           the same of a stage whose head learned with text embeddings (cosines)
trained         the same of a stage that learned all predicates
all, novel      all names are offered, related pairs of novel predicates
all, base       all names are offered, related pairs of base predicates
harmonic        mean of these two

Where all names are offered, an offset is added to base logits. It is chosen on base predicates that
play the novel ones, with a stage that did not learn them, on the split "test" of DATASET.

Stages: `MLP` is a small network on both classes and boxes, without pixels. `MLP, classes too` knows
classes by their words, and learns from no pair with one of the split's 9 novel classes (OvD+R; the
column "trained" has not seen them either). `objects` is the relation stage of that name, on the
frozen segmenter; it has no "words" and no "trained".
"""

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from word_stages import (
    PairTable,
    Related,
    know_classes_by_words,
    of_mlp,
    of_objects,
    related_of,
    train,
)

from dsflash_ros.argument_types import positive
from dsflash_ros.bench.results import store
from dsflash_ros.data.psg import PsgDataset
from dsflash_ros.errors import DSFlashError
from dsflash_ros.graph.words import plain_words
from dsflash_ros.language.mixing import mixture
from dsflash_ros.language.neural_encoders import open_encoder
from dsflash_ros.machine import machine
from dsflash_ros.text_tables import Row, show

SPLITS = Path(__file__).parent / "open_vocabulary_splits.json"

STAGES = ("MLP", "MLP, classes too", "objects")

OFFSETS = np.linspace(-12, 0, 49)
"""Of base logits, to choose from."""

MOST_PAIRS = 250_000
"""Of a split, for the MLP."""

CONSE_NAMES = 5
"""Base predicates whose embeddings ConSE averages."""


def macro_accuracy(found: np.ndarray, holds: np.ndarray, asked: Sequence[int]) -> float:
    """Mean over the asked predicates of the share of their pairs whose told predicate holds.

    `found`: (n,) told predicates; `holds`: (n, predicates) bool.
    """
    right = holds[np.arange(len(found)), found]
    shares = [right[holds[:, one]].mean() for one in asked if holds[:, one].any()]
    return float(np.mean(shares))


def told(
    related: Related, logits: np.ndarray, names: Sequence[str], asked, order, kept=slice(None)
) -> float:
    """Macro accuracy over the predicates `asked` when `names`, as of `logits`, are offered.

    `kept`: (n,) bool, the pairs that count.
    """
    ids = np.array([order.index(name) for name in names])
    wanted = [order.index(name) for name in asked]
    return macro_accuracy(ids[logits.argmax(1)][kept], related.holds[kept], wanted)


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


class Asking(NamedTuple):
    """Who is asked, and with which words.

    Attributes:
        order: the data set's predicates.
        embed: embeddings of names, (n, D) float32.
    """

    order: tuple[str, ...]
    embed: Callable[[Sequence[str]], np.ndarray]

    def new(self, related: Related, base: Sequence[str], novel: Sequence[str]) -> np.ndarray:
        """Logits of novel names, mixed of those of base ones."""
        return related.logits @ mixture(self.embed(base), self.embed(novel))

    def all(
        self, related: Related, base: Sequence[str], novel: Sequence[str], offset: float
    ) -> tuple[float, float]:
        """Macro accuracies of novel and of base predicates when all names are offered."""
        logits = np.column_stack((related.logits + offset, self.new(related, base, novel)))
        names = [*base, *novel]
        return tuple(told(related, logits, names, kind, self.order) for kind in (novel, base))

    def scores(self, related: Related, rehearsal: Related, base: list[str], split: dict) -> Row:
        """The scores that need no other stage."""
        novel, rehearsed = split["novel"], split["rehearsed"]
        known = [name for name in base if name not in rehearsed]
        offset = max(OFFSETS, key=lambda one: harmonic(*self.all(rehearsal, known, rehearsed, one)))
        turned = [*novel[1:], novel[0]]
        mixed = conse(related.logits, self.embed(base), self.embed(novel))
        new = self.new(related, base, novel)
        row = {
            "novel": told(related, new, novel, novel, self.order),
            "near": told(related, new, novel, novel, self.order, ~related.distant),
            "distant": told(related, new, novel, novel, self.order, related.distant),
            "ConSE": told(related, mixed, novel, novel, self.order),
            "permuted": told(related, self.new(related, base, turned), novel, novel, self.order),
            "all, novel, no offset": self.all(related, base, novel, 0.0)[0],
        }
        row["all, novel"], row["all, base"] = self.all(related, base, novel, offset)
        row["harmonic"] = harmonic(row["all, novel"], row["all, base"])
        return row | {"offset": float(offset)}


def mlp_row(asking: Asking, tables: dict[str, PairTable], split: dict, steps: int) -> Row:
    """All scores of the stage "MLP" on a split."""
    novel = split["novel"]
    base = [name for name in asking.order if name not in novel]
    known = [name for name in base if name not in split["rehearsed"]]
    rehearsal = related_of(of_mlp(tables["train"], known, None, steps), tables["val"])
    related = related_of(of_mlp(tables["train"], base, None, steps), tables["test"])
    row = asking.scores(related, rehearsal, base, split)
    by_words = of_mlp(tables["train"], base, torch.from_numpy(asking.embed(base)), steps)
    by_words[-1].set_names(torch.from_numpy(asking.embed(novel)))
    found = related_of(by_words, tables["test"])
    row["words"] = told(found, found.logits, novel, novel, asking.order)
    everything = related_of(of_mlp(tables["train"], asking.order, None, steps), tables["test"])
    chosen = everything.logits[:, [asking.order.index(name) for name in novel]]
    return row | {"trained": told(everything, chosen, novel, novel, asking.order)}


def objects_row(asking: Asking, args: argparse.Namespace, data: dict, split: dict) -> Row:
    """The scores of the stage "objects" on a split."""
    novel = split["novel"]
    base = [name for name in asking.order if name not in novel]
    hidden = [*novel, *split["rehearsed"]]
    rehearsal = of_objects(args, train(args, hidden), hidden, data["val"])
    related = of_objects(args, train(args, novel), novel, data["test"])
    return asking.scores(related, rehearsal, base, split)


def rows_of(args: argparse.Namespace) -> list[Row]:
    """A row for each stage and split."""
    encoder = open_encoder(args.text_encoder)
    data = {
        "train": PsgDataset.open(args.dataset, "train"),
        "val": PsgDataset.open(args.dataset, "test"),
        "test": PsgDataset.open(args.test, "test"),
    }
    order = data["test"].vocabulary.predicates
    stored = dict(zip(order, encoder.encode([plain_words(name) for name in order]), strict=True))
    asking = Asking(order, lambda names: np.stack([stored[name] for name in names]))
    tables = {}
    if {"MLP", "MLP, classes too"} & {*args.stages}:
        tables = {name: PairTable(one, MOST_PAIRS) for name, one in data.items()}
    splits = json.loads(SPLITS.read_text())
    rows = []
    for stage in args.stages:
        for name in args.splits or splits:
            if stage != "objects":
                hide = splits[name]["novel_classes"] if "classes" in stage else ()
                know_classes_by_words(tables, encoder, hide)
                row = mlp_row(asking, tables, splits[name], args.steps)
            else:
                row = objects_row(asking, args, data, splits[name])
            row = {key: round(value, 4) for key, value in row.items()}
            rows.append({"stage": stage, "split": name, **row})
            print(json.dumps(rows[-1]), flush=True)
    return rows


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
    parser.add_argument(
        "--steps", type=positive, default=1500, help="of training MLP (default: 1500)"
    )
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
