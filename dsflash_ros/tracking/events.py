"""What changed from one graph to the next."""

from dataclasses import dataclass
from enum import IntEnum

from dsflash_ros.tracking.relation_filter import Pair


class Change(IntEnum):
    """Kinds of events, with the values that they have in messages."""

    NODE_APPEARED = 1
    NODE_VANISHED = 2
    RELATION_BEGAN = 3
    RELATION_ENDED = 4


@dataclass(frozen=True)
class Event:
    """One change.

    Attributes:
        change: what happened.
        stamp: seconds, of the image that showed it.
        subject: track id of the node, or of the relation's subject.
        subject_label: its class.
        object, object_label: of a relation.
        predicate, score: of a relation; the score of a node that appeared.
    """

    change: Change
    stamp: float
    subject: int
    subject_label: str
    object: int | None = None
    object_label: str = ""
    predicate: str = ""
    score: float = 0.0


class EventLog:
    """Tells what begins and ends from states that follow each other.

    Relations are told of nodes alone that have been in a graph. A node that is another class from
    now on vanishes, and appears as that.
    """

    def __init__(self) -> None:
        self._nodes: dict[int, str] = {}
        self._appeared: set[int] = set()
        self._relations: dict[Pair, str] = {}
        self._labels: dict[int, str] = {}

    def compare(
        self,
        stamp: float,
        nodes: dict[int, tuple[str, float]],
        relations: dict[Pair, tuple[str, float]],
        labels: dict[int, str],
    ) -> tuple[Event, ...]:
        """The changes since the last call.

        Args:
            stamp: seconds, of the image.
            nodes: label and score by track id, of the nodes in the graph.
            relations: predicate and score by pair, of all that hold, whether in view or not.
            labels: of all tracks that are remembered.
        """
        self._appeared = (self._appeared & labels.keys()) | nodes.keys()
        relations = {
            pair: told for pair, told in relations.items() if self._appeared.issuperset(pair)
        }
        labels = self._labels | labels
        events = [
            Event(Change.RELATION_ENDED, stamp, a, labels[a], b, labels[b], predicate)
            for (a, b), predicate in self._relations.items()
            if relations.get((a, b), ("", 0.0))[0] != predicate
        ]
        events += [
            Event(Change.NODE_VANISHED, stamp, track, label)
            for track, label in self._nodes.items()
            if nodes.get(track, ("",))[0] != label
        ]
        events += [
            Event(Change.NODE_APPEARED, stamp, track, label, score=score)
            for track, (label, score) in nodes.items()
            if self._nodes.get(track) != label
        ]
        events += [
            Event(Change.RELATION_BEGAN, stamp, a, labels[a], b, labels[b], predicate, score)
            for (a, b), (predicate, score) in relations.items()
            if self._relations.get((a, b)) != predicate
        ]
        self._nodes = {track: label for track, (label, _) in nodes.items()}
        self._relations = {pair: predicate for pair, (predicate, _) in relations.items()}
        self._labels = {track: labels[track] for pair in relations for track in pair}
        return tuple(events)
