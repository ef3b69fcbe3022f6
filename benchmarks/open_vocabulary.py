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
words           the same of a stage whose head learned with text embeddings (cosines)
trained         the same of a stage that learned all predicates
all, novel      all names are offered, related pairs of novel predicates
all, base       all names are offered, related pairs of base predicates
harmonic        mean of these two

Where all names are offered, an offset is added to base logits. It is chosen on base predicates that
play the novel ones, with a stage that did not learn them, on the split "test" of DATASET.

Stages: `MLP` is a small network on both classes and boxes, without pixels. `objects` is the
relation stage of that name, on the frozen segmenter; it has no "words" and no "trained".
"""

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from class_pairs import pairs_of
from torch import nn
from torch.utils.data import DataLoader

from dsflash_ros.argument_types import positive
from dsflash_ros.bench.results import store
from dsflash_ros.data.psg import PsgDataset
from dsflash_ros.errors import DSFlashError
from dsflash_ros.graph.words import plain_words
from dsflash_ros.language.mixing import mixture
from dsflash_ros.language.neural_encoders import open_encoder
from dsflash_ros.machine import machine
from dsflash_ros.model.layers.named_logits import make_logits
from dsflash_ros.text_tables import Row, show
from dsflash_ros.training.configuration import RelationConfig, load_config
from dsflash_ros.training.relations.relation_data import RelationSamples, collate_relations
from dsflash_ros.training.relations.train_relations import filled_cache, train_relations
from dsflash_ros.weights.loading import open_weights

SPLITS = Path(__file__).parent / "open_vocabulary_splits.json"

STAGES = ("MLP", "objects")

OFFSETS = np.linspace(-12, 0, 49)
"""Of base logits, to choose from."""

MOST_PAIRS = 250_000
"""Of a split, for the MLP."""

CONSE_NAMES = 5
"""Base predicates whose embeddings ConSE averages."""


class Related(NamedTuple):
    """Related directed pairs of a data set.

    Attributes:
        logits: (n, names) float32, of the names that a stage learned.
        holds: (n, predicates) bool, which predicates of the data set hold.
    """

    logits: np.ndarray
    holds: np.ndarray


def train(args: argparse.Namespace, novel: Sequence[str]) -> Path:
    """Train a stage "objects" without the novel predicates, unless that was done; its weights."""
    out = args.out / f"objects-{'-'.join(name.replace(' ', '_') for name in sorted(novel))}"
    weights = out / "last.safetensors"
    if not weights.exists():
        train_relations(_config(args, novel, out))
    return weights


def _config(args: argparse.Namespace, novel: Sequence[str], out: Path) -> RelationConfig:
    given = [f"dataset={args.dataset}", f"segmenter={args.segmenter}", f"out={out}"]
    given += ["val_split=none", f"feature_cache={args.out / 'cache'}"]
    given += [f"predicates_novel={json.dumps(list(novel))}"]
    return load_config(RelationConfig, "toyroom", [*given, *args.set], "relations")


@torch.inference_mode()
def of_objects(
    args: argparse.Namespace, weights: Path, novel: Sequence[str], dataset: PsgDataset
) -> Related:
    """What a stage "objects" says of the related pairs of true segments."""
    opened = open_weights(weights)
    model = opened.load()
    records = list(islice(dataset, args.images))
    stored = filled_cache(_config(args, novel, args.out), model, opened.header, records)
    count = len(dataset.vocabulary.predicates)
    cells = model.relations.cell, model.relations.grid
    samples = RelationSamples(records, opened.header.config, *cells, cache=stored, predicates=count)
    logits, holds = [], []
    for batch in DataLoader(samples, 16, collate_fn=collate_relations):
        pairs, index = batch.relations[:, :2].unique(dim=0, return_inverse=True)
        prepared = model.relations.prepare(batch.images.float())
        logits.append(model.relations.relate(batch.pair_inputs(prepared, pairs)).logits[:, 0, 1:])
        hold = np.zeros((len(pairs), count), bool)
        hold[index.numpy(), batch.relations[:, 2].numpy()] = True
        holds.append(hold)
    return Related(torch.cat(logits).numpy(), np.concatenate(holds))


class PairTable:
    """All directed pairs of a split: classes, geometry of boxes, and what holds of them."""

    def __init__(self, dataset: PsgDataset, most: int | None = None) -> None:
        """`most`: pairs to keep, drawn at random."""
        images = pairs_of(dataset)
        columns = [
            torch.cat([getattr(image, name) for image in images])
            for name in ("classes", "geometry", "targets")
        ]
        if most is not None and most < len(columns[0]):
            drawn = torch.randperm(len(columns[0]), generator=torch.Generator().manual_seed(0))
            columns = [column[drawn[:most]] for column in columns]
        self.classes, self.geometry, targets = columns
        self.holds = targets > 0
        self.vocabulary = dataset.vocabulary

    def inputs(self, chosen: torch.Tensor) -> torch.Tensor:
        """(n, width) float32 of the chosen pairs."""
        count = len(self.vocabulary.classes)
        classes = F.one_hot(self.classes[chosen], count).flatten(1).float()
        return torch.cat((classes, self.geometry[chosen]), dim=1)


def of_mlp(
    train: PairTable, names: Sequence[str], words: torch.Tensor | None, steps: int
) -> nn.Module:
    """A network on classes and boxes that learned these predicates.

    `words`: their embeddings, for a head by cosines.
    """
    torch.manual_seed(0)
    order = list(train.vocabulary.predicates)
    ids = torch.tensor([1 + order.index(name) for name in names])
    others = [1 + order.index(name) for name in order if name not in names]
    seen = ~train.holds[:, others].any(1)
    related = torch.nonzero(seen & ~train.holds[:, 0])[:, 0]
    unrelated = torch.nonzero(seen & train.holds[:, 0])[:, 0]
    width = train.inputs(related[:1]).shape[1]
    head = make_logits(256, len(names), 0 if words is None else words.shape[1], none_first=True)
    if words is not None:
        head.set_names(words)
    body = (nn.BatchNorm1d(width), nn.Linear(width, 256), nn.GELU(), nn.Dropout(0.1))
    model = nn.Sequential(*body, nn.Linear(256, 256), nn.GELU(), head)
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for _ in range(steps):
        draws = [pool[torch.randint(len(pool), (512,))] for pool in (related, unrelated)]
        chosen = torch.cat(draws)
        targets = train.holds[chosen][:, torch.cat((torch.tensor([0]), ids))].float()
        loss = F.binary_cross_entropy_with_logits(model(train.inputs(chosen)), targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    return model.eval()


@torch.inference_mode()
def related_of(model: nn.Module, table: PairTable) -> Related:
    """What a network says of the related pairs."""
    related = torch.nonzero(~table.holds[:, 0])[:, 0]
    return Related(model(table.inputs(related))[:, 1:].numpy(), table.holds[related, 1:].numpy())


def macro_accuracy(found: np.ndarray, holds: np.ndarray, asked: Sequence[int]) -> float:
    """Mean over the asked predicates of the share of their pairs whose told predicate holds.

    `found`: (n,) told predicates; `holds`: (n, predicates) bool.
    """
    right = holds[np.arange(len(found)), found]
    shares = [right[holds[:, one]].mean() for one in asked if holds[:, one].any()]
    return float(np.mean(shares))


def told(related: Related, logits: np.ndarray, names: Sequence[str], asked, order) -> float:
    """Macro accuracy over the predicates `asked` when `names`, as of `logits`, are offered."""
    ids = np.array([order.index(name) for name in names])
    wanted = [order.index(name) for name in asked]
    return macro_accuracy(ids[logits.argmax(1)], related.holds, wanted)


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
        row = {
            "novel": told(related, self.new(related, base, novel), novel, novel, self.order),
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
    if "MLP" in args.stages:
        tables = {name: PairTable(one, MOST_PAIRS) for name, one in data.items()}
    splits = json.loads(SPLITS.read_text())
    rows = []
    for stage in args.stages:
        for name in args.splits or splits:
            if stage == "MLP":
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
