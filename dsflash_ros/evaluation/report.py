"""The result of an evaluation: what was evaluated, on what, and the scores; kept as JSON.

`report_text` shows it.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dsflash_ros.conversion.checkpoint_files import sha256_of
from dsflash_ros.errors import EvaluationError
from dsflash_ros.files import expand, replacing
from dsflash_ros.graph.vocabulary import Vocabulary
from dsflash_ros.pipeline.asking import NAMES

if TYPE_CHECKING:
    from dsflash_ros.data.psg import PsgDataset
    from dsflash_ros.pipeline.pipeline import SceneGraphPipeline
    from dsflash_ros.pipeline.translation import Translation
    from dsflash_ros.weights.loading import OpenedWeights

FORMAT = "dsflash-eval-1"
"""Marks the JSON file."""

_NUMBER, _SCORE = (int, float), (int, float, type(None))

# What `dsflash tables` reads.
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
_EXPECTED_IMAGE = {"image": str, "stamp": _SCORE, "ranks": dict, "classes": dict}
_EXPECTED_SPEED = {
    "latency_ms": _NUMBER,
    "relations_per_second": _SCORE,
    "timed": int,
    "warm_up": int,
    "batch": int,
    "segments_per_image": _NUMBER,
    "pairs_per_image": _NUMBER,
}


@dataclass(frozen=True, eq=False)
class Report:
    """Everything that an evaluation tells, in plain JSON types.

    Scores are 0..1, None where there is no number.

    Attributes:
        dataset: `name`, `split`, `images` (evaluated), `of` (in the split), `vocabulary` (psg or
            other), `problems`.
        protocol: predcls or sgdet.
        weights: `name`, `sha256` (None for random ones), `trained` (stages).
        model: `size`, `backbone`, `image_size`, `parameters`.
        options: the pipeline's, with `backend`, `device`, `precision` and `compile`.
        machine: CPU, GPU, versions.
        relations: as from `RecallMetrics.results` and, of weights that relate,
            `Reliability.results`.
        panoptic: as from `PanopticQuality.results`; None for predcls.
        speed: as from `measure_speed`, or None.
        images: fields of `ImageScores`, for each image; None in files of earlier versions.
        latency_ms: as from `latency_percentiles`, of SGDet.
        tracking: as from `TrackingEvaluator.results`, of a bag whose truth has identities.
        settings: as from `BagEvaluation.settings`, of one of several bags.
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
    images: list[dict] | None = None
    latency_ms: dict | None = None
    tracking: dict | None = None
    settings: dict | None = None

    def write(self, path: str | Path) -> None:
        """Write the JSON, whole or not at all.

        Raises `OutputError` when it cannot be written.
        """
        with replacing(expand(path)) as partial:
            partial.write_text(self.to_text())

    def to_text(self) -> str:
        """The JSON; images have a line each."""
        content = {"format": FORMAT, **asdict(self)}
        images = content.pop("images")
        rows = ",\n    ".join(json.dumps(image) for image in images or ())
        listed = "null" if images is None else f"[\n    {rows}\n  ]"
        head = json.dumps(content, indent=2).removesuffix("\n}")
        return f'{head},\n  "images": {listed}\n}}\n'

    @classmethod
    def read(cls, path: str | Path) -> "Report":
        """Read what `write` wrote.

        Raises `EvaluationError` when it is anything else.
        """
        try:
            content = expand(path).read_bytes()
        except OSError as error:
            raise EvaluationError(f"cannot read {path}: {error.strerror}") from error
        return cls.parse(content, path)

    @classmethod
    def parse(cls, content: bytes, name: str | Path) -> "Report":
        """Read what `write` wrote to a file of that name.

        Raises `EvaluationError` when it is anything else.
        """
        try:
            raw = json.loads(content)
            _check(raw, {"format": str, **_EXPECTED}, "it")
            if raw.pop("format") != FORMAT:
                raise ValueError(f"its format is not {FORMAT}")
            if raw["speed"] is not None:
                _check(raw["speed"], _EXPECTED_SPEED, "'speed'")
            for image in raw.get("images") or ():
                _check(image, _EXPECTED_IMAGE, "an image")
            return cls(**raw)
        except (ValueError, RecursionError, TypeError) as error:
            is_json = not isinstance(error, (UnicodeDecodeError, json.JSONDecodeError))
            reason = error if is_json else "it is not JSON"
            raise EvaluationError(
                f"{name} is not a result of `dsflash eval --json`: {reason}"
            ) from error


def _check(found: object, expected: dict | type | tuple, where: str) -> None:
    """Raise `ValueError` where a value is missing or is of another type."""
    if not isinstance(found, dict if isinstance(expected, dict) else expected):
        raise ValueError(f"{where} has the wrong type: {found!r}")
    if isinstance(expected, dict):
        for key, kind in expected.items():
            if key not in found:
                raise ValueError(f"{where} lacks {key!r}")
            _check(found[key], kind, repr(key))


def about_model(opened: "OpenedWeights", pipeline: "SceneGraphPipeline", is_compiled: bool) -> dict:
    """`Report.weights`, `model` and `options` of a pipeline with these weights."""
    config = opened.header.config
    return {
        "weights": {
            "name": opened.title,
            "sha256": sha256_of(opened.path) if opened.path else None,
            "trained": list(opened.header.trained) if pipeline.is_trained else [],
        },
        "model": {
            "size": config.size,
            "backbone": config.backbone,
            "image_size": config.image_size,
            "parameters": pipeline.backend.parameters,
        },
        "options": {
            **asdict(pipeline.options),
            "backend": pipeline.backend.name,
            "device": str(pipeline.device),
            "precision": pipeline.precision,
            "compile": is_compiled,
            **_asked_names(pipeline.translation),
        },
    }


def _asked_names(translation: "Translation") -> dict[str, list[str]]:
    """The names that a pipeline was asked for, by parameter; none where these are all."""
    asked, known = translation.asked, translation.known
    names = dict(zip(NAMES, ("things", "stuff", "predicates"), strict=True))
    return {
        parameter: list(getattr(asked, kind))
        for parameter, kind in names.items()
        if getattr(asked, kind) != getattr(known, kind)
    }


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
