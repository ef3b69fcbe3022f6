"""Relations over time."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from dsflash_ros.graph.scene_graph import Relation
from dsflash_ros.tracking.beliefs import Shares

Pair = tuple[int, int]
"""Track ids of subject and object."""

_FORGOTTEN = 0.005
"""A pair whose scores are all below is dropped, until it is related again."""


@dataclass
class Related:
    """What is known of a directed pair of tracks.

    Attributes:
        scores: running means of the predicates' scores.
        holds: the predicate that holds, or None.
        since: seconds, when that began.
    """

    scores: Shares = field(default_factory=Shares)
    holds: int | None = None
    since: float = 0.0


class RelationFilter:
    """Averages the scores of relations between tracks, and decides when one begins and ends.

    A pair of which one track is not seen stays as it was: that is no evidence against it.
    """

    def __init__(self) -> None:
        self._pairs: dict[Pair, Related] = {}

    def __len__(self) -> int:
        return len(self._pairs)

    def see(
        self,
        relations: dict[Pair, Relation],
        seen: dict[int, int],
        stamp: float,
        smoothing: float,
        begin: float,
        end: float,
    ) -> None:
        """Take the relations of an image in.

        Args:
            relations: by the tracks that they relate.
            seen: the tracks in the image, by id, and in how many images each was seen so far.
            stamp: seconds, of the image.
            smoothing: see `TrackingOptions.track_smoothing`.
            begin, end: scores at which a relation begins and ends.
        """
        begin, end = max(begin, _FORGOTTEN), max(end, _FORGOTTEN)
        for pair in relations.keys() | self._pairs.keys():
            if pair[0] not in seen or pair[1] not in seen:
                continue
            related = self._pairs.setdefault(pair, Related())
            # Before this pair was related for the first time it was seen to be not.
            share = 1 / min(seen[pair[0]], seen[pair[1]], smoothing)
            found = relations.get(pair)
            if found is None:
                related.scores.add(None, 0.0, share)
            else:
                related.scores.add(found.predicate_id, found.score, share)
            self._decide(related, stamp, begin, end)
            if related.holds is None and max(related.scores.shares.values()) < _FORGOTTEN:
                del self._pairs[pair]

    def _decide(self, related: Related, stamp: float, begin: float, end: float) -> None:
        best, before = related.scores.best, related.holds
        if related.scores[best] >= (end if best == before else begin):
            related.holds = best
        elif before is None or related.scores[before] < end:
            related.holds = None
        if related.holds is not None and related.holds != before:
            related.since = stamp

    def holding(self) -> Iterable[tuple[Pair, Related]]:
        """The pairs that are related now, and how."""
        return ((pair, known) for pair, known in self._pairs.items() if known.holds is not None)

    def forget(self, tracks: set[int]) -> None:
        """Forget all pairs of these tracks."""
        for pair in [pair for pair in self._pairs if not tracks.isdisjoint(pair)]:
            del self._pairs[pair]
