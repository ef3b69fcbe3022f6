"""The relations of a room and of a view of it. Of all predicates that hold for a directed pair, the
first here counts:

| predicate    | subject a               | object b           | holds where
|
|--------------|-------------------------|--------------------|-------------------------------------------------|
| attached to  | what is fastened        | what holds it      | it is fastened to b's face: a
picture to a wall |
| hanging from | what is fastened        | what holds it      | it hangs from b: a lamp from the
ceiling        | | holding      | person                  | thing              | b is in a's raised
hand                         | | carrying     | person                  | thing              | b is
in both of a's hands, or in a lowered one  | | on back of   | thing                   | person
| b wears a on the back                           | | in           | any                     |
container          | the middle of a's box is within b's cavity      | | enclosing    | container
| any                | b is in a                                       | | sitting on   | person,
teddy bear      | any                | a's posture is sitting, and b bears it          | | lying on
| person, teddy bear      | any                | a's posture is lying, and b bears it            | |
standing on  | person, teddy bear      | any                | a's posture is standing, and b bears
it         | | leaning on   | who leans               | any                | a's trunk touches b,
more level than steep      |
| on           | thing, rug, shelf, lamp | any                | b bears a: touches it from below
| | looking at   | who has eyes            | thing              | a's gaze meets b first, within 6 m
|
| over         | thing, shelf, lamp      | thing, shelf, lamp | a is above b: see `_over`
    |
| in front of  | thing                   | thing              | a hides a part of b: see
    `_in_front_of`         |
| beside       | thing                   | thing              | side by side for the camera: see
    `_beside`      |

The last three need a pair of which nothing more is to be said: no predicate before them in either
direction, but for `looking at` in the other one; and neither bears the other through a third, as a
table bears what is in a bowl on it. `in` and `enclosing` are each other's inverse, `beside` is its
own.
"""

from collections.abc import Iterable, Iterator

import numpy as np

from dsflash_ros.toyroom import VOCABULARY
from dsflash_ros.toyroom.build.scene import Camera, Picture
from dsflash_ros.toyroom.physics.facts import GROUND, Facts, facts_of

__all__ = ["ORDER", "Facts", "facts_of", "relate"]

ORDER = (
    *(
        "attached to",
        "hanging from",
        "holding",
        "carrying",
        "on back of",
        "in",
        "enclosing",
        "sitting on",
        "lying on",
    ),
    *("standing on", "leaning on", "on", "looking at", "over", "in front of", "beside"),
)
"""Predicates, the most specific first."""

OVER_GAP = 0.05, 1.5
"""m: less is a thing that as good as touches, more (a lamp to the floor is 2) is far from
anything's reach.
"""

OVERLAP = 1 / 3
"""Of the smaller footprint: what overlaps less is not above the other, but to its side."""

OVER_STUFF = frozenset({"light", "shelf"})
"""Stuff in pieces that are above, or below, something as things are."""

HIDES_DEPTH = 0.1
"""m: what is deeper by less touches what is before it rather than being hidden by it."""

HIDES_EDGE = 0.02
"""Of the image's height: an edge between two things that is shorter decides nothing for the eye
either.
"""

BESIDE_GAP, BESIDE_SHARE = 0.6, 0.5
"""m, and of the larger one's width: what is further apart stands for itself."""

_INDEX = {name: index for index, name in enumerate(VOCABULARY.predicates)}
_LOOKING = _INDEX["looking at"]
Pair = tuple[int, int]
"""Indexes of items: subject and object."""


def relate(facts: Facts, frame: Picture, camera: Camera, items: Iterable[int]) -> dict[Pair, int]:
    """The relations among these items of a view: for each directed pair at most one index of a
    predicate.
    """
    seen = np.zeros(len(facts.names), bool)
    seen[list(items)] = True
    found: dict[Pair, int] = {}
    for predicate, pairs in _of_the_room(facts):
        for pair in pairs:
            found.setdefault(pair, _INDEX[predicate])
    piled = _piled(facts)
    for predicate, pairs in (
        ("over", _over(facts)),
        ("in front of", _in_front_of(facts, frame)),
        ("beside", _beside(facts, camera)),
    ):
        free = {
            (a, b)
            for a, b in pairs
            if (a, b) not in found and found.get((b, a), _LOOKING) == _LOOKING
        }
        free = {(a, b) for a, b in free if not piled[a, b]}
        if predicate == "beside":
            free = {(a, b) for a, b in free if (b, a) in free}
        found |= dict.fromkeys(sorted(free), _INDEX[predicate])
    return {(a, b): predicate for (a, b), predicate in found.items() if seen[a] and seen[b]}


def _of_the_room(facts: Facts) -> Iterator[tuple[str, list[Pair]]]:
    """Predicates that hold whatever the camera, most specific first, and the pairs for which they
    do.
    """

    def fastened(how: str) -> list[Pair]:
        return [
            (a, int(facts.holders[a]))
            for a, fastening in enumerate(facts.fastenings)
            if fastening == how
        ]

    def resting(posture: str) -> list[Pair]:
        return _pairs(facts.rests_on & (np.array(facts.postures) == posture)[:, None])

    yield "attached to", fastened("attached")
    yield "hanging from", fastened("hanging")
    yield "holding", [(b, a) for a, b in fastened("held")]
    yield "carrying", [(b, a) for a, b in fastened("carried")]
    yield "on back of", fastened("worn")
    yield "in", _pairs(facts.encloses.T)
    yield "enclosing", _pairs(facts.encloses)
    for posture in ("sitting", "lying", "standing"):
        yield f"{posture} on", resting(posture)
    yield "leaning on", _leaning(facts)
    yield "on", resting("")
    yield "looking at", [(a, int(b)) for a, b in enumerate(facts.sees) if b >= 0]


def _leaning(facts: Facts) -> list[Pair]:
    """What touches the side of someone who leans, but nothing that this one holds, bears or stands
    on.
    """
    others = facts.props & ~facts.rests_on & ~facts.rests_on.T & facts.leans[:, None]
    return [(a, b) for a, b in _pairs(others) if facts.holders[b] != a]


def _piled(facts: Facts) -> np.ndarray:
    """(N, N) bool, symmetric: one bears or encloses the other, be it through others."""
    steps = facts.rests_on | facts.encloses.T
    piled = steps
    for _ in range(3):  # a ball in a bowl on a book on a table
        piled = piled | piled @ steps
    return piled | piled.T


def _over(facts: Facts) -> list[Pair]:
    """a's box is above b's by `OVER_GAP`, and their footprints overlap by `OVERLAP`.

    b is the nearest such item below a, or what bears that one: a lamp is over the cup, and over the
        cup's table. What
    stands or lies somewhere is over nothing: a has to hang, or to be held.
    """
    low, high = facts.extents[:, 0], facts.extents[:, 1]
    able = facts.things | np.array([name in OVER_STUFF for name in facts.names])
    _, share = _footprints(facts.extents)
    gap = low[:, None, 2] - high[None, :, 2]
    floats = able & ~facts.rests_on.any(1) & ~facts.encloses.any(0)
    below = (share >= OVERLAP) & (gap > -OVER_GAP[0]) & floats[:, None] & able
    np.fill_diagonal(below, False)
    holds = below & (gap >= OVER_GAP[0]) & (gap <= OVER_GAP[1])
    pairs = []
    for a in np.flatnonzero(holds.any(1)):
        nearest = int(np.where(below[a], gap[a], np.inf).argmin())
        if holds[a, nearest]:
            pairs += [
                (int(a), b)
                for b in (nearest, *np.flatnonzero(facts.rests_on[nearest] & holds[a]).tolist())
            ]
    return pairs


def _in_front_of(facts: Facts, frame: Picture) -> list[Pair]:
    """a and b meet in the image, with b deeper by `HIDES_DEPTH`, along `HIDES_EDGE`; where both do,
    a does so more.
    """
    n = len(facts.names)
    thing = np.append(facts.things, False)  # -1, nothing, takes the last
    edges = np.zeros((n, n), int)
    for here, there in ((np.s_[:, :-1], np.s_[:, 1:]), (np.s_[:-1], np.s_[1:])):
        a, b = frame.items[here], frame.items[there]
        border = np.nonzero(a != b)
        a, b, behind = a[border], b[border], frame.depth[there][border] - frame.depth[here][border]
        counts = thing[a] & thing[b] & (np.abs(behind) >= HIDES_DEPTH)
        near, far = np.where(behind > 0, a, b)[counts], np.where(behind > 0, b, a)[counts]
        edges += np.bincount(near * n + far, minlength=n * n).reshape(n, n)
    return _pairs((edges >= HIDES_EDGE * frame.items.shape[0]) & (edges > edges.T))


def _beside(facts: Facts, camera: Camera) -> list[Pair]:
    """a and b stand on the same, apart by less than `BESIDE_GAP`; further apart across the view
    than along it.
    """
    rests = facts.rests_on & facts.things[:, None]
    ground = np.array([name in GROUND for name in facts.names])  # a rug is no border
    same = (rests[:, ~ground] @ rests[:, ~ground].T) | np.logical_and.outer(
        *[(rests & ground).any(1)] * 2
    )
    gap, share = _footprints(facts.extents)
    width = np.ptp(facts.extents[:, :, :2], axis=1).max(1)
    near = gap < np.minimum(BESIDE_GAP, BESIDE_SHARE * np.maximum(width[:, None], width))
    middles = facts.extents[:, :, :2].mean(1)
    offset = middles[:, None] - middles[None]
    across = np.abs(offset @ camera.rotation[:2, 0])
    side_by_side = across > np.sqrt(np.maximum(0, (offset**2).sum(2) - across**2))
    return _pairs(same & near & (share < OVERLAP) & side_by_side)


def _footprints(extents: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(N, N) each: horizontal gap between two boxes, m, and the share of the smaller footprint that
    overlaps.
    """
    low, high = extents[:, 0, :2], extents[:, 1, :2]
    overlap = np.minimum(high[:, None], high[None]) - np.maximum(low[:, None], low[None])
    area = (high - low).prod(1)
    share = np.maximum(overlap, 0).prod(2) / np.minimum(area[:, None], area[None])
    return np.linalg.norm(np.maximum(-overlap, 0), axis=2), share


def _pairs(holds: np.ndarray) -> list[Pair]:
    """Where an (N, N) bool matrix is true."""
    return [(int(a), int(b)) for a, b in np.argwhere(holds)]
