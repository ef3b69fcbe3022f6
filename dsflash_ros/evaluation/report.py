"""The result of an evaluation: what was evaluated, on what, and the scores; as JSON and as text."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dsflash_ros.errors import EvaluationError
from dsflash_ros.files import expand, replacing
from dsflash_ros.graph.vocabulary import Vocabulary
from dsflash_ros.model.checkpoints import STAGES
from dsflash_ros.text_tables import counted, show

if TYPE_CHECKING:
    from dsflash_ros.data.psg import PsgDataset

FORMAT = "dsflash-eval-1"
"""Marks the JSON file."""

NO_VALUE = "-"

_NUMBER, _SCORE = (int, float), (int, float, type(None))
# what `dsflash tables` reads
_EXPECTED = {
    "dataset": {
        "name": str,
        "split": (str, type(None)),
        "images": int,
        "of": int,
        "vocabulary": str,
    },
    "protocol": str,
    "weights": {"name": str, "trained": list},
    "model": {"size": str, "backbone": str, "image_size": int, "parameters": int},
    "options": {"device": str, "precision": str},
    "machine": {"cpu": str, "cores": int, "gpu": str},
    "relations": {
        "images": int,
        "images_without_relations": int,
        **dict.fromkeys(("mR@20", "mR@50", "mR@100", "mR@inf"), _SCORE),
    },
    "panoptic": (dict, type(None)),
    "speed": (dict, type(None)),
}
_EXPECTED_SPEED = {
    **{
        "latency_ms": _NUMBER,
        "relations_per_second": _SCORE,
        "timed": int,
        "warm_up": int,
        "batch": int,
    },
    **{"segments_per_image": _NUMBER, "pairs_per_image": _NUMBER},
}


@dataclass(frozen=True, eq=False)
class Report:
    """Everything that an evaluation tells; plain JSON types, scores 0..1, None where there is no
    number.

    Attributes:
        dataset: `name`, `split`, `images` (evaluated), `of` (in the split), `vocabulary` (psg or
            other), `problems`.
        protocol: predcls or sgdet.
        weights: `name`, `sha256` (None for random ones), `trained` (stages).
        model: `size`, `backbone`, `image_size`, `parameters`.
        options: the pipeline's, with `device`, `precision` and `compile`.
        machine: CPU, GPU, versions.
        relations: as from `RecallMetrics.results` and, of weights that relate,
            `Reliability.results`.
        panoptic: as from `PanopticQuality.results`; None for predcls.
        speed: as from `measure_speed`, or None.
    """

    dataset: dict
    protocol: str
    weights: dict
    model: dict
    options: dict
    machine: dict
    relations: dict
    panoptic: dict | None
    speed: dict | None

    def write(self, path: str | Path) -> None:
        """Write the JSON, whole or not at all. Raises `OutputError`."""
        with replacing(expand(path)) as partial:
            partial.write_text(json.dumps({"format": FORMAT, **asdict(self)}, indent=2) + "\n")

    @classmethod
    def read(cls, path: str | Path) -> "Report":
        """Read what `write` wrote. Raises `EvaluationError` when it is anything else."""
        try:
            raw = json.loads(expand(path).read_text())
            if raw.pop("format") != FORMAT:
                raise KeyError(FORMAT)
            _check(raw, _EXPECTED, "it")
            if raw["speed"] is not None:
                _check(raw["speed"], _EXPECTED_SPEED, "'speed'")
            return cls(**raw)
        except (OSError, RuntimeError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise EvaluationError(
                f"{path} is not a result of `dsflash eval --json` ({type(error).__name__}: {error})"
            ) from error

    def print(self) -> None:
        """Print the scores as tables, classes and predicates by how often they occur."""
        dataset, model, relations = self.dataset, self.model, self.relations
        print(
            f"data set: {describe_dataset(dataset)}; {relations['images_without_relations']} without relations"
        )
        print(
            f"weights: {describe_weights(self.weights)}; {model['size']} {model['backbone']} at {model['image_size']}"
        )
        print(f"machine: {describe_machine(self.machine, self.options)}")
        ks = [key.removeprefix("mR@") for key in relations if key.startswith("mR@")]
        columns = {"R": "R@{}", "mR": "mR@{}"}
        show(
            f"{self.protocol}: recall of relations, %",
            [
                {"": name, **{f"@{k}": percent(relations.get(key.format(k))) for k in ks}}
                for name, key in columns.items()
            ],
        )
        given = " (the segments are given)" if self.protocol == "predcls" else ""
        print(f"\ninstance recall {percent(relations['instance_recall'])} %{given}")
        if self.panoptic:
            groups = {"all": "", "things": "_things", "stuff": "_stuff"}
            rows = [
                {
                    "": name,
                    **{g: percent(self.panoptic[name + suffix]) for g, suffix in groups.items()},
                }
                for name in ("PQ", "SQ", "RQ")
            ]
            show("panoptic quality, %", rows)
            self._print_classes()
        self._print_predicates()
        self._print_thresholds()
        if self.speed:
            print(f"\n{describe_speed(self.speed)}")

    def _print_classes(self) -> None:
        found = sorted(self.panoptic["per_class"].items(), key=lambda item: -item[1]["segments"])
        rows = [
            {
                "class": name,
                **{
                    key: value if key == "segments" else percent(value)
                    for key, value in scores.items()
                },
            }
            for name, scores in found
        ]
        if rows:
            show("classes, %", rows)

    def _print_predicates(self) -> None:
        found = {
            name: scores
            for name, scores in self.relations["per_predicate"].items()
            if scores["relations"]
        }
        rows = [
            {
                "predicate": name,
                **{k: percent(v) if k.startswith("R@") else v for k, v in scores.items()},
            }
            for name, scores in sorted(found.items(), key=lambda item: -item[1]["relations"])
        ]
        if rows:
            show("predicates, recall in %", rows)
        never = len(self.relations["per_predicate"]) - len(found)
        if never:
            verbs = "occurs and is" if never == 1 else "occur and are"
            print(f"\n{counted(never, 'predicate')} never {verbs} left out of the mean")

    def _print_thresholds(self) -> None:
        rows = [
            {
                "relation_threshold": threshold,
                "relations an image": f"{kept['relations']:.1f}",
                **{name: percent(kept[name]) for name in ("precision", "recall")},
            }
            for threshold, kept in self.relations.get("thresholds", {}).items()
        ]
        if rows:
            show("relations by their score, %", rows)
            error = percent(self.relations["calibration_error"])
            print(
                f"\ncalibration error {error} %: how far mean scores are from the share that is true"
            )


def _check(found: object, expected: dict | type | tuple, where: str) -> None:
    """Raise `ValueError` where a value is missing or is of another type."""
    if not isinstance(found, dict if isinstance(expected, dict) else expected):
        raise ValueError(f"{where} has the wrong type: {found!r}")
    if isinstance(expected, dict):
        for key, kind in expected.items():
            if key not in found:
                raise ValueError(f"{where} lacks {key!r}")
            _check(found[key], kind, repr(key))


def describe_dataset(dataset: dict) -> str:
    """`psg/psg.json, split test: 2186 images`."""
    count = (
        counted(dataset["images"], "image")
        if dataset["images"] == dataset["of"]
        else "{images} of {of} images".format(**dataset)
    )
    return f"{dataset['name']}, {'split ' + dataset['split'] if dataset['split'] else 'all splits'}: {count}"


def describe_weights(weights: dict) -> str:
    """Their name, and what of them means nothing."""
    untrained = [stage for stage in STAGES if stage not in weights["trained"]]
    if untrained == list(STAGES):
        return f"{weights['name']}, untrained: the scores mean nothing"
    return "; ".join([weights["name"], *(f"{stage} untrained" for stage in untrained)])


def describe_machine(on: dict, options: dict) -> str:
    """What the model ran on, and in which precision."""
    device = (
        on["gpu"] if options["device"].startswith("cuda") else f"{on['cpu']}, {on['cores']} cores"
    )
    return f"{device} in {options['precision']}"


def describe_speed(speed: dict) -> str:
    """What was measured, and how, in one line."""
    return (
        f"latency {speed['latency_ms']:.2f} ms (forward pass of one image, mean of {speed['timed']} after "
        f"{speed['warm_up']} of warm-up), {number(speed['relations_per_second'])} relations a second (batches of "
        f"{speed['batch']}); {speed['segments_per_image']:.1f} segments, {speed['pairs_per_image']:.1f} directed pairs "
        "an image"
    )


def percent(value: float | None) -> str:
    """A fraction as percent with two decimals."""
    return NO_VALUE if value is None else f"{value * 100:.2f}"


def number(value: float | None) -> str:
    """A large number, as in `11,491`."""
    return NO_VALUE if value is None else f"{value:,.0f}"


def about_dataset(dataset: "PsgDataset", images: int) -> dict:
    """`Report.dataset` of a `PsgDataset` of which so many images were evaluated."""
    path = dataset.path.resolve()
    return {
        "name": f"{path.parent.name}/{path.name}",
        "split": dataset.split,
        "images": images,
        "of": len(dataset),
        "vocabulary": "psg" if dataset.vocabulary == Vocabulary.psg() else "other",
        "problems": {problem: len(where) for problem, where in dataset.problems.items()},
    }
