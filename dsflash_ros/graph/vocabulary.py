"""Names of the classes and predicates that a model knows. Imports neither torch nor ROS."""

import json
from dataclasses import dataclass
from functools import cache
from importlib import resources
from itertools import zip_longest

from dsflash_ros.errors import WeightsError
from dsflash_ros.files import expand

NAMED = ("psg", "toyroom")
"""Vocabularies that come with the package: PSG's, and that of the simulated rooms."""

_PSG_KEYS = ("thing_classes", "stuff_classes", "predicate_classes")
"""What a data set in PSG's format calls its things, stuff and predicates."""


@dataclass(frozen=True)
class Vocabulary:
    """Class and predicate names in index order.

    A class id counts through the things first, then the stuff, as in COCO panoptic and PSG:
    with 80 things, class 80 is the first stuff class. Predicate ids start at 0 (the relation
    head's index 0, "no relation", is not a predicate; see `dsflash_ros.model.relaters.dsflash`).
    """

    things: tuple[str, ...]
    stuff: tuple[str, ...]
    predicates: tuple[str, ...]

    def __post_init__(self) -> None:
        for kind in ("things", "stuff", "predicates"):
            names = tuple(getattr(self, kind))
            object.__setattr__(self, kind, names)
            if not all(isinstance(name, str) and name for name in names):
                raise WeightsError(f"vocabulary: {kind} must be non-empty strings, got {names!r}")
        for kind, names in (("class", self.classes), ("predicate", self.predicates)):
            if not names:
                raise WeightsError(f"vocabulary: there is no {kind} name; at least one is needed")
            if len(set(names)) < len(names):
                twice = sorted({name for name in names if names.count(name) > 1})
                raise WeightsError(
                    f"vocabulary: {kind} names must be unique, these are not: {', '.join(twice)}"
                )

    @property
    def classes(self) -> tuple[str, ...]:
        """All class names: things, then stuff."""
        return self.things + self.stuff

    def is_thing(self, class_id: int) -> bool:
        """Whether the class is countable (a thing) or amorphous (stuff)."""
        return class_id < len(self.things)

    def difference(
        self, other: "Vocabulary", kinds: tuple[str, ...] = ("things", "stuff", "predicates")
    ) -> str:
        """The first difference in these kinds of names; empty if there is none.

        As in `'cup' for 'dog' among the things`.
        """
        for kind in kinds:
            for mine, theirs in zip_longest(
                getattr(self, kind), getattr(other, kind), fillvalue="nothing"
            ):
                if mine != theirs:
                    return f"{mine!r} for {theirs!r} among the {kind}"
        return ""

    def to_json(self) -> str:
        """The vocabulary as one line of JSON, the form in which checkpoints carry it."""
        return json.dumps(
            {"things": self.things, "stuff": self.stuff, "predicates": self.predicates}
        )

    @classmethod
    def from_json(cls, text: str) -> "Vocabulary":
        """Read what `to_json` wrote, or the names of a data set in PSG's format.

        Raises `WeightsError` when keys are missing or names are not unique.
        """
        try:
            raw = json.loads(text)
            keys = _PSG_KEYS if "thing_classes" in raw else ("things", "stuff", "predicates")
            if not all(isinstance(raw[key], list) for key in keys):
                raise TypeError("they must be lists")
            return cls(*(raw[key] for key in keys))
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise WeightsError(
                "not a vocabulary: expected JSON with the lists 'things', 'stuff' and "
                f"'predicates', or {', '.join(map(repr, _PSG_KEYS))} "
                f"({type(error).__name__}: {error})"
            ) from error

    @classmethod
    def psg(cls) -> "Vocabulary":
        """The 80 things, 53 stuff classes and 56 predicates of PSG (Yang et al., ECCV 2022)."""
        return cls.load("psg")

    @classmethod
    def load(cls, name_or_path: str) -> "Vocabulary":
        """A vocabulary of `NAMED`, or that of a JSON file, see `from_json`.

        Raises `WeightsError` when the file cannot be read or holds no vocabulary.
        """
        if name_or_path in NAMED:
            return _packaged(name_or_path)
        try:
            text = expand(name_or_path).read_text()
        except (OSError, ValueError) as error:
            names = " or ".join(map(repr, NAMED))
            raise WeightsError(
                f"cannot read the vocabulary {name_or_path!r}: {error}; give {names}, or a JSON "
                "file"
            ) from error
        return cls.from_json(text)


@cache
def _packaged(name: str) -> Vocabulary:
    path = resources.files("dsflash_ros").joinpath(f"resources/{name}.json")
    return Vocabulary.from_json(path.read_text())
