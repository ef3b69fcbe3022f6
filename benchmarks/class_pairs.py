"""How far classes and boxes alone go: PredCls of two predictors that see no pixel.

    python benchmarks/class_pairs.py DATASET [--test DATASET2] [--steps 4000] [--json FILE]

frequency    how often each predicate holds for the two classes in the training images
MLP          a small network that is given the two classes and where the two boxes are

Both learn from all directed pairs of the split "train" of DATASET. They are evaluated as a model
is, on the split "test" of DATASET2, or of DATASET itself: the score of a directed pair is
1 - P(no relation), its predicate is the most probable of the others.
"""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from tqdm import tqdm

from dsflash_ros.argument_types import positive
from dsflash_ros.bench.results import store
from dsflash_ros.data.psg import PsgDataset, Record
from dsflash_ros.errors import DSFlashError, EvaluationError
from dsflash_ros.evaluation.metrics import RecallMetrics
from dsflash_ros.evaluation.phrases import percent
from dsflash_ros.graph.label_maps import label_boxes
from dsflash_ros.graph.vocabulary import Vocabulary
from dsflash_ros.machine import machine
from dsflash_ros.model.relaters.box_geometry import PAIR_NUMBERS, pair_geometry
from dsflash_ros.text_tables import show
from dsflash_ros.training.relations.pairs import pair_targets

FAR = 1 / 3
"""Of the image's width: beyond it two segments are distant."""


class Pairs(NamedTuple):
    """All directed pairs of an image of S segments, n = S * (S - 1).

    Attributes:
        pairs: (n, 2) int64, subject and object.
        classes: (n, 2) int64, of subject and object.
        geometry: (n, 21) float32, of their boxes, see `pair_geometry`.
        targets: (n, 1 + predicates) float32, probabilities that sum to 1; index 0 is "no relation".
            Several predicates of a pair have equal probabilities.
        relations: (R, 3) int64, the true ones: subject, object, predicate.
        distant: (n,) bool, see `are_distant`.
        segments: S.
    """

    pairs: torch.Tensor
    classes: torch.Tensor
    geometry: torch.Tensor
    targets: torch.Tensor
    relations: np.ndarray
    distant: torch.Tensor
    segments: int


def are_distant(record: Record, labels: np.ndarray) -> np.ndarray:
    """(S, S) bool: which segments' boxes have centres over `FAR` apart."""
    boxes = label_boxes(labels, len(record.class_ids))
    centres = (boxes[:, :2] + boxes[:, 2:]) / 2
    return np.linalg.norm(centres[:, None] - centres, axis=-1) > FAR * record.width


def pairs_of(dataset: PsgDataset) -> list[Pairs]:
    """The pairs of each image. Only the boxes of the true segments are used, no other pixels."""
    found = []
    for record in tqdm(dataset, f"boxes of {dataset.split}", unit="image", disable=None):
        count = len(record.class_ids)
        labels = record.labels()
        boxes = label_boxes(labels, count) / ([record.width, record.height] * 2)
        pairs = torch.from_numpy(np.argwhere(~np.eye(count, dtype=bool)))
        relations = torch.from_numpy(record.relations)
        targets = pair_targets(relations, pairs, len(dataset.vocabulary.predicates))[:, 0]
        classes = torch.from_numpy(record.class_ids)[pairs]
        geometry = pair_geometry(torch.from_numpy(boxes).float()[pairs])
        distant = torch.from_numpy(are_distant(record, labels))[pairs[:, 0], pairs[:, 1]]
        shares = F.normalize(targets, 1, -1)
        found.append(Pairs(pairs, classes, geometry, shares, record.relations, distant, count))
    return found


class ClassesAndBoxes(nn.Module):
    """Logits, (n, 1 + predicates), of pairs of classes, (n, 2), with geometry, (n, 21)."""

    def __init__(self, vocabulary: Vocabulary, width: int = 256) -> None:
        super().__init__()
        self.num_classes = len(vocabulary.classes)
        self.scale = nn.BatchNorm1d(PAIR_NUMBERS, affine=False)
        self.layers = nn.Sequential(
            *(nn.Linear(2 * self.num_classes + PAIR_NUMBERS, width), nn.GELU()),
            *(nn.Linear(width, width), nn.GELU()),
            nn.Linear(width, 1 + len(vocabulary.predicates)),
        )

    def forward(self, classes: torch.Tensor, geometry: torch.Tensor) -> torch.Tensor:
        one_hot = F.one_hot(classes, self.num_classes).flatten(1).float()
        return self.layers(torch.cat((one_hot, self.scale(geometry)), dim=1))


def frequencies(train: list[Pairs], vocabulary: Vocabulary) -> torch.Tensor:
    """How often each predicate holds, (classes, classes, 1 + predicates), in 0..1.

    The first two indices are the classes of subject and object. The mean over all pairs counts as
    one more pair of each two classes, so that classes never seen together have that mean.
    """
    size, width = len(vocabulary.classes), 1 + len(vocabulary.predicates)
    targets = torch.cat([image.targets for image in train])
    counts = targets.mean(0).repeat(size * size, 1)
    cells = torch.cat([image.classes for image in train]) @ torch.tensor([size, 1])
    counts.index_add_(0, cells, targets)
    return F.normalize(counts, 1, -1).view(size, size, width)


def learn(
    train: list[Pairs], vocabulary: Vocabulary, steps: int, batch: int = 1024
) -> ClassesAndBoxes:
    """Train the network by cross entropy."""
    torch.manual_seed(0)
    model = ClassesAndBoxes(vocabulary)
    classes, geometry, targets = (
        torch.cat([getattr(image, name) for image in train])
        for name in ("classes", "geometry", "targets")
    )

    def loss() -> torch.Tensor:
        chosen = torch.randint(len(classes), (batch,))
        return F.cross_entropy(model(classes[chosen], geometry[chosen]), targets[chosen])

    return descend(model, steps, loss)


def descend(model: nn.Module, steps: int, loss: Callable[[], torch.Tensor]) -> nn.Module:
    """Train a small network: AdamW, cosine. `loss` draws a batch."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for _ in tqdm(range(steps), "training", disable=None):
        found = loss()
        optimizer.zero_grad()
        found.backward()
        optimizer.step()
        schedule.step()
    return model.eval()


@torch.inference_mode()
def scores(
    predict: Callable[[Pairs], torch.Tensor], test: list[Pairs], vocabulary: Vocabulary
) -> dict:
    """`RecallMetrics.results` of a predictor.

    `predict` gives the probabilities, (n, 1 + predicates), of an image's pairs.
    """
    metrics = RecallMetrics(vocabulary.predicates)
    for image in test:
        probabilities = predict(image)
        order = probabilities[:, 0].argsort(stable=True)
        best = probabilities[order, 1:].argmax(1, keepdim=True)
        relations = torch.cat((image.pairs[order], best), dim=1).numpy()
        metrics.add(image.relations, relations, np.arange(image.segments), image.segments)
    return metrics.results()


def compare(train: PsgDataset, test: PsgDataset, steps: int) -> dict[str, dict]:
    """The scores of both predictors, by name.

    Raises `EvaluationError` where there is nothing to learn from or to evaluate.
    """
    vocabulary = train.vocabulary
    difference = vocabulary.difference(test.vocabulary)
    if difference:
        raise EvaluationError(f"the data sets have different vocabularies: {difference}")
    learned, asked = pairs_of(train), pairs_of(test)
    for dataset, images in ((train, learned), (test, asked)):
        if not any(len(image.relations) for image in images):
            raise EvaluationError(f"the split {dataset.split!r} of {dataset.path} has no relations")
    table, model = frequencies(learned, vocabulary), learn(learned, vocabulary, steps)
    predictors = {
        "frequency": lambda image: table[image.classes[:, 0], image.classes[:, 1]],
        "MLP": lambda image: model(image.classes, image.geometry).softmax(1),
    }
    return {name: scores(predict, asked, vocabulary) for name, predict in predictors.items()}


def print_results(results: dict[str, dict]) -> None:
    """Print the means, then the predicates by how often they occur."""
    keys = [key for key in next(iter(results.values())) if "R@" in key and not key.endswith("inf")]
    rows = [
        {"": name} | {key: percent(found[key]) for key in keys} for name, found in results.items()
    ]
    show("PredCls without pixels, %", rows)
    tables = {name: found["per_predicate"] for name, found in results.items()}
    first = next(iter(tables.values()))
    rows = [
        {
            "predicate": predicate,
            "relations": found["relations"],
            **{f"{name} R@50": percent(table[predicate]["R@50"]) for name, table in tables.items()},
        }
        for predicate, found in sorted(first.items(), key=lambda item: -item[1]["relations"])
    ]
    show("predicates, recall in %", rows)


def main() -> int:
    """Learn, evaluate, print, store."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("dataset", metavar="DATASET", help="psg.json or its folder: to learn from")
    parser.add_argument("--test", metavar="DATASET2", help="to evaluate on (default: DATASET)")
    parser.add_argument(
        "--steps", type=positive, default=4000, metavar="N", help="of training (default: 4000)"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="store everything there, too")
    args = parser.parse_args()
    try:
        datasets = (
            PsgDataset.open(args.dataset, "train"),
            PsgDataset.open(args.test or args.dataset, "test"),
        )
        for dataset in datasets:
            print(dataset.report())
        results = compare(*datasets, args.steps)
        print_results(results)
        if args.json:
            names = [
                Path(name).resolve().name for name in (args.dataset, args.test or args.dataset)
            ]
            settings = {"dataset": names[0], "test": names[1], "steps": args.steps}
            rows = [{"predictor": name, **found} for name, found in results.items()]
            store(args.json, "class_pairs", settings, rows, machine())
    except DSFlashError as error:
        print(f"class_pairs: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
