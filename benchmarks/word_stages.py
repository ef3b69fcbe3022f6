"""The stages that `open_vocabulary.py` asks about predicates that they never learned."""

import argparse
import json
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from class_pairs import are_distant, descend, pairs_of
from torch import nn
from torch.utils.data import DataLoader

from dsflash_ros.data.psg import PsgDataset
from dsflash_ros.graph.words import plain_words
from dsflash_ros.language.text_encoder import TextEncoder
from dsflash_ros.model.layers.named_logits import make_logits
from dsflash_ros.training.configuration import RelationConfig
from dsflash_ros.training.configuration_files import load_config
from dsflash_ros.training.relations.relation_data import RelationSamples, collate_relations
from dsflash_ros.training.relations.train_relations import filled_cache, train_relations
from dsflash_ros.weights.loading import open_weights


class Related(NamedTuple):
    """Related directed pairs of a data set.

    Attributes:
        logits: (n, names) float32, of the names that a stage learned.
        holds: (n, predicates) bool, which predicates of the data set hold.
        distant: (n,) bool, whether their boxes' centres are far apart, see `are_distant`.
    """

    logits: np.ndarray
    holds: np.ndarray
    distant: np.ndarray


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
    logits, holds, distant = [], [], []
    apart = (are_distant(record, record.labels()) for record in records)
    for batch in DataLoader(samples, 16, collate_fn=collate_relations):
        pairs, index = batch.relations[:, :2].unique(dim=0, return_inverse=True)
        prepared = model.relations.prepare(batch.images.float())
        logits.append(model.relations.relate(batch.pair_inputs(prepared, pairs)).logits[:, 0, 1:])
        hold = np.zeros((len(pairs), count), bool)
        hold[index.numpy(), batch.relations[:, 2].numpy()] = True
        holds.append(hold)
        matrices = map(torch.from_numpy, islice(apart, len(batch.counts)))
        distant.append(torch.block_diag(*matrices)[pairs[:, 0], pairs[:, 1]])
    return Related(torch.cat(logits).numpy(), np.concatenate(holds), torch.cat(distant).numpy())


class PairTable:
    """All directed pairs of a split: classes, geometry of boxes, and what holds of them.

    Attributes:
        words: embeddings of the classes, which then are what a network is given; None: one-hot.
        hidden: (classes,) bool, classes that training must not see.
    """

    words: torch.Tensor | None = None
    hidden: torch.Tensor

    def __init__(self, dataset: PsgDataset, most: int | None = None) -> None:
        """`most`: pairs to keep, drawn at random."""
        images = pairs_of(dataset)
        columns = [
            torch.cat([getattr(image, name) for image in images])
            for name in ("classes", "geometry", "distant", "targets")
        ]
        if most is not None and most < len(columns[0]):
            drawn = torch.randperm(len(columns[0]), generator=torch.Generator().manual_seed(0))
            columns = [column[drawn[:most]] for column in columns]
        self.classes, self.geometry, self.distant, targets = columns
        self.holds = targets > 0
        self.vocabulary = dataset.vocabulary
        self.hidden = torch.zeros(len(dataset.vocabulary.classes), dtype=torch.bool)

    def inputs(self, chosen: torch.Tensor) -> torch.Tensor:
        """(n, width) float32 of the chosen pairs."""
        count = len(self.vocabulary.classes)
        if self.words is None:
            classes = F.one_hot(self.classes[chosen], count).flatten(1).float()
        else:
            classes = self.words[self.classes[chosen]].flatten(1)
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
    seen = ~train.holds[:, others].any(1) & ~train.hidden[train.classes].any(1)
    related = torch.nonzero(seen & ~train.holds[:, 0])[:, 0]
    unrelated = torch.nonzero(seen & train.holds[:, 0])[:, 0]
    width = train.inputs(related[:1]).shape[1]
    head = make_logits(256, len(names), 0 if words is None else words.shape[1], none_first=True)
    if words is not None:
        head.set_names(words)
    body = (nn.BatchNorm1d(width), nn.Linear(width, 256), nn.GELU(), nn.Dropout(0.1))
    model = nn.Sequential(*body, nn.Linear(256, 256), nn.GELU(), head)

    def loss() -> torch.Tensor:
        draws = [pool[torch.randint(len(pool), (512,))] for pool in (related, unrelated)]
        chosen = torch.cat(draws)
        targets = train.holds[chosen][:, torch.cat((torch.tensor([0]), ids))].float()
        return F.binary_cross_entropy_with_logits(model(train.inputs(chosen)), targets)

    return descend(model, steps, loss)


@torch.inference_mode()
def related_of(model: nn.Module, table: PairTable) -> Related:
    """What a network says of the related pairs."""
    related = torch.nonzero(~table.holds[:, 0])[:, 0]
    logits = model(table.inputs(related))[:, 1:]
    columns = logits, table.holds[related, 1:], table.distant[related]
    return Related(*(column.numpy() for column in columns))


def know_classes_by_words(
    tables: dict[str, PairTable], encoder: TextEncoder, hidden: Sequence[str]
) -> None:
    """Let networks know classes by their words, and hide some in training; none hidden: one-hot."""
    for name, table in tables.items():
        classes = table.vocabulary.classes
        words = torch.from_numpy(encoder.encode([plain_words(one) for one in classes]))
        table.words = words if hidden else None
        table.hidden = torch.tensor([name == "train" and one in hidden for one in classes])
