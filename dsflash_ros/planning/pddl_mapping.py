"""Which types and facts of a PDDL domain the classes and predicates of scene graphs are."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path

import yaml

from dsflash_ros.errors import ConfigError
from dsflash_ros.files import expand
from dsflash_ros.planning.question import plain

_WORDS = """
and assign at decrease define domain either end exists forall imply increase not number object
objects or over problem scale-down scale-up start total-cost total-time when
"""

PDDL_WORDS = frozenset(_WORDS.split())
"""Words of PDDL's own, which are no names."""

KEYS = ("domain", "types", "others", "predicates", "init")
"""What a mapping file consists of."""

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")
_FACT = re.compile(rf"\(\s*{_NAME.pattern}(?:\s+(?:\?subject|\?object|{_NAME.pattern}))*\s*\)")


@dataclass(frozen=True)
class PddlMapping:
    """What a domain calls classes and predicates.

    Attributes:
        domain: its name.
        types: class to type.
        others: type of the other classes; None: nodes of other classes are left out.
        predicates: predicate to fact, with `?subject` and `?object` for the nodes. Relations with
            other predicates are left out.
        init: facts of each problem.
    """

    domain: str
    types: Mapping[str, str]
    others: str | None
    predicates: Mapping[str, str]
    init: tuple[str, ...] = ()

    @classmethod
    def load(cls, path: str | Path | None = None) -> "PddlMapping":
        """Read a YAML file; None: that of the package, for its domain.

        Raises `ConfigError` when it cannot be read, or says what cannot be in a domain.
        """
        if path is None:
            return _packaged()
        try:
            text = expand(str(path)).read_text(encoding="utf-8")
        except (OSError, ValueError) as error:
            raise ConfigError(f"cannot read the mapping {path}: {error}") from error
        return cls.from_yaml(text, str(path))

    @classmethod
    def from_yaml(cls, text: str, name: str = "the mapping") -> "PddlMapping":
        """Read the text of such a file, called `name` in errors."""
        try:
            # Every scalar as a text: YAML takes `on` for true.
            raw = yaml.load(text, Loader=yaml.BaseLoader)
        except (yaml.YAMLError, RecursionError) as error:
            raise ConfigError(f"{name} is no YAML: {' '.join(str(error).split())}") from error
        try:
            return _checked(raw)
        except ConfigError as error:
            raise ConfigError(f"{name}: {error}") from error

    def type_of(self, label: str) -> str | None:
        """The type of a class; None: it is left out."""
        return self.types.get(plain(label), self.others)

    def fact(self, predicate: str, subject: str, object: str) -> str | None:
        """What a relation is in the domain; None: it is left out."""
        template = self.predicates.get(plain(predicate))
        if template is None:
            return None
        return re.sub(
            r"\?(\w+)", lambda found: {"subject": subject, "object": object}[found[1]], template
        )

    @property
    def names(self) -> set[str]:
        """All names of the domain that the mapping knows, in lower case."""
        facts = " ".join([*self.predicates.values(), *self.init])
        found = {self.domain, self.others or self.domain, *self.types.values()}
        return {name.lower() for name in found | set(_NAME.findall(facts))}


def domain_pddl() -> str:
    """The package's domain, which its mapping is for."""
    return resources.files("dsflash_ros").joinpath("resources/scene_graph.pddl").read_text()


@cache
def _packaged() -> PddlMapping:
    path = resources.files("dsflash_ros").joinpath("resources/scene_graph.yaml")
    return PddlMapping.from_yaml(path.read_text(encoding="utf-8"))


def _checked(raw) -> PddlMapping:
    if not isinstance(raw, dict) or not set(raw) <= set(KEYS) or "domain" not in raw:
        raise ConfigError(f"expected a mapping with the keys {', '.join(KEYS)}")
    types = _section(raw, "types")
    predicates = {name: _fact_of(name, fact) for name, fact in _section(raw, "predicates").items()}
    init = raw.get("init") or []
    if not isinstance(init, list) or not all(isinstance(fact, str) for fact in init):
        raise ConfigError("init must be a list of facts, as in - (hand-empty)")
    others = raw.get("others") or None
    for name in (raw["domain"], *types.values(), *([others] if others is not None else [])):
        _check_name(name)
    return PddlMapping(
        raw["domain"], types, others, predicates, tuple(_check_fact(fact) for fact in init)
    )


def _section(raw: dict, key: str) -> dict[str, str]:
    found = raw.get(key) or {}
    if not isinstance(found, dict) or not all(isinstance(value, str) for value in found.values()):
        raise ConfigError(f"{key} must be lines of the form name: name")
    section: dict[str, str] = {}
    for name, value in found.items():
        first = section.setdefault(plain(name), value)
        if first != value:
            raise ConfigError(
                f"{key} has {plain(name)!r} twice, as {first!r} and {value!r}: upper and lower "
                "case, and _ and spaces, make no difference"
            )
    return section


def _fact_of(predicate: str, text: str) -> str:
    if _NAME.fullmatch(text):
        text = f"({text} ?subject ?object)"
    if not _FACT.fullmatch(text):
        raise ConfigError(
            f"{predicate!r} is to be a name, or a fact such as (in ?object ?subject), got {text!r}"
        )
    return _with_names(text)


def _check_fact(text: str) -> str:
    if not _FACT.fullmatch(text) or "?" in text:
        raise ConfigError(f"{text!r} is no fact such as (hand-empty) or (near elsewhere)")
    return _with_names(text)


def _with_names(fact: str) -> str:
    """The fact, whose words must be names."""
    predicate, *words = re.findall(r"[^\s()]+", fact)
    # `at` is PDDL's own before a time only, and a predicate of many domains
    if predicate.lower() != "at":
        _check_name(predicate)
    for word in words:
        if not word.startswith("?"):
            _check_name(word)
    return fact


def _check_name(name) -> None:
    if not isinstance(name, str) or not _NAME.fullmatch(name) or name.lower() in PDDL_WORDS:
        raise ConfigError(
            f"{name!r} cannot be a name in PDDL: letters, digits, - and _, of which a letter is "
            "first, and none of PDDL's own words"
        )
