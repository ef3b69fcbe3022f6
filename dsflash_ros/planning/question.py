"""What a question to a scene graph consists of, once its text has been read."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from operator import eq, ge, gt, le, lt, ne

from dsflash_ros.graph.scene_graph import Node

COMPARISONS: dict[str, Callable] = {"<=": le, ">=": ge, "!=": ne, "<": lt, ">": gt, "=": eq}
"""What the signs between two values mean."""

ATTRIBUTES: dict[str, Callable[[Node], float | None]] = {
    "score": lambda node: node.score,
    "distance": lambda node: node.distance,
    "x": lambda node: node.position and node.position[0],
    "y": lambda node: node.position and node.position[1],
    "z": lambda node: node.position and node.position[2],
    "track": lambda node: node.track_id,
    "id": lambda node: node.id,
    "area": lambda node: node.area,
    "observations": lambda node: node.observations,
}
"""What can be compared of a node with a number; None where it is not known."""

ORDERS: dict[str, Callable[[Node], float | None]] = {
    "nearest": lambda node: node.distance,
    "farthest": lambda node: None if node.distance is None else -node.distance,
    "best": lambda node: -node.score,
}
"""What a node's place among the answers goes by, the least first; those without one come last."""


@lru_cache(maxsize=4096)
def plain(name: str) -> str:
    """A class or predicate as names are compared: `Dining_Table` is `dining table`."""
    return name.casefold().replace("_", " ")


@dataclass(frozen=True)
class ClassTest:
    """A node's class is one of these, see `plain`."""

    classes: frozenset[str]

    def holds(self, node: Node) -> bool:
        return plain(node.label) in self.classes


@dataclass(frozen=True)
class NumberTest:
    """A node has this number in its name: the track's where there is one, else its id."""

    number: int

    def holds(self, node: Node) -> bool:
        return self.number == (node.id if node.track_id is None else node.track_id)


@dataclass(frozen=True)
class ValueTest:
    """An attribute of a node compares so with a number; never where it is not known."""

    attribute: str
    comparison: str
    value: float

    def holds(self, node: Node) -> bool:
        found = ATTRIBUTES[self.attribute](node)
        return found is not None and COMPARISONS[self.comparison](found, self.value)


NodeTest = ClassTest | NumberTest | ValueTest


@dataclass(frozen=True)
class RelationPattern:
    """Subject and object, as variables, have a relation.

    Attributes:
        predicates: one of these, see `plain`; empty: any.
        comparison, value: how the relation's score compares with a number.
    """

    subject: str
    predicates: frozenset[str]
    object: str
    comparison: str = ">="
    value: float = 0.0

    @property
    def variables(self) -> tuple[str, str]:
        return self.subject, self.object


@dataclass(frozen=True)
class Sameness:
    """Two variables stand for the same node, or for different ones."""

    left: str
    right: str
    is_same: bool

    @property
    def variables(self) -> tuple[str, str]:
        return self.left, self.right


@dataclass(frozen=True)
class Conjunction:
    """All of these hold.

    Attributes:
        tests: of each variable that occurs here (outside of negations), in order of its first use.
        patterns, sames: between variables.
        negations: none of them holds. Variables that occur outside a negation, too, are those from
            outside; for the others no nodes are to be found.
    """

    tests: dict[str, tuple[NodeTest, ...]]
    patterns: tuple[RelationPattern, ...]
    sames: tuple[Sameness, ...]
    negations: tuple["Conjunction", ...]

    def all_variables(self) -> set[str]:
        """Also those within negations."""
        return set(self.tests).union(*(part.all_variables() for part in self.negations))


@dataclass(frozen=True)
class Word:
    """A class or predicate that a text names.

    Attributes:
        kind: class or predicate.
        name: see `plain`.
        position: in the text.
    """

    kind: str
    name: str
    position: int


@dataclass(frozen=True)
class Question:
    """A text that was read.

    Attributes:
        text: as it was given.
        variables: those that answers tell, in order of their first use.
        conditions: what has to hold.
        order: a key of `ORDERS` and the variable that it is about; None: the best score first.
        limit: the most answers; None where the text does not say.
        words: the classes and predicates in the text.
    """

    text: str
    variables: tuple[str, ...]
    conditions: Conjunction
    order: tuple[str, str] | None
    limit: int | None
    words: tuple[Word, ...]
