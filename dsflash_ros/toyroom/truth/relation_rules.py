"""The rules that decide which items of a room are related, and by which predicate.

Of all predicates that hold for a directed pair (a, b), the first in this table counts:

| predicate    | subject a               | object b           | holds if                           |
|--------------|-------------------------|--------------------|------------------------------------|
| attached to  | something fastened      | its holder         | a is fixed flat to b               |
| hanging from | something fastened      | its holder         | a hangs from b                     |
| holding      | person                  | thing              | b is in a raised hand of a         |
| carrying     | person                  | thing              | b is in both hands of a, or in a   |
|              |                         |                    | lowered one                        |
| on back of   | thing                   | person             | b wears a on the back              |
| in           | anything                | container          | the middle of a's box is in b's    |
|              |                         |                    | cavity                             |
| enclosing    | container               | anything           | b is in a                          |
| sitting on   | person, teddy bear      | anything           | a sits, and b bears a              |
| lying on     | person, teddy bear      | anything           | a lies, and b bears a              |
| standing on  | person, teddy bear      | anything           | a stands, and b bears a            |
| leaning on   | someone who leans       | anything           | a's trunk touches b sideways       |
| on           | thing, rug, shelf, lamp | anything           | b bears a: touches it from below   |
| looking at   | someone with eyes       | thing              | a's gaze meets b first, within 6 m |
| over         | thing, shelf, lamp      | thing, shelf, lamp | a is above b, see `_over`          |
| in front of  | thing                   | thing              | a hides a part of b, see           |
|              |                         |                    | `_in_front_of`                     |
| beside       | thing                   | thing              | a and b are side by side for the   |
|              |                         |                    | camera, see `_beside`              |

The last three, which tell least, hold only for pairs without any other relation: no earlier
predicate holds in either direction (except `looking at` from b to a), and neither bears the other
through a third item, as a table bears what is in a bowl on it. `in` and `enclosing` are inverses of
each other, and `beside` is symmetric.
"""

from collections.abc import Iterable, Iterator

import numpy as np

from dsflash_ros.toyroom import VOCABULARY
from dsflash_ros.toyroom.build.scene import Camera, Picture
from dsflash_ros.toyroom.physics.facts import GROUND, Facts

ORDER = (
    "attached to",
    "hanging from",
    "holding",
    "carrying",
    "on back of",
    "in",
    "enclosing",
    "sitting on",
    "lying on",
    "standing on",
    "leaning on",
    "on",
    "looking at",
    "over",
    "in front of",
    "beside",
)
"""Predicates, the most specific first."""

OVER_GAP = 0.05, 1.5
"""Vertical distance of a pair that is `over`, m.

Below it the two nearly touch. Above it (a lamp is 2 m over the floor) they have nothing to do with
each other.
"""

OVERLAP = 1 / 3
"""Overlap of two footprints as a share of the smaller one.

With so much or more, two items are above each other; with less, they are side by side.
"""

OVER_STUFF = frozenset({"light", "shelf"})
"""Stuff that can be over things, or below them."""

HIDES_DEPTH = 0.1
"""Step in depth at an edge where one thing hides another, m; at a smaller step the two touch."""

HIDES_EDGE = 0.02
"""Length of such an edge, as a share of the image's height; a shorter one is hard to see."""

BESIDE_GAP = 0.6
"""Distance within which two things are beside each other, m."""

BESIDE_SHARE = 0.5
"""The same as a share of the larger thing's width; the smaller of the two distances counts."""

_INDEX = {name: index for index, name in enumerate(VOCABULARY.predicates)}
_LOOKING = _INDEX["looking at"]
Pair = tuple[int, int]
"""Indexes of items: subject and object."""


def relate(facts: Facts, picture: Picture, camera: Camera, items: Iterable[int]) -> dict[Pair, int]:
    """Find the relations between these items, as a camera sees them in a picture.

    Returns:
        The index of the predicate for each directed pair that is related.
    """
    in_view = np.zeros(len(facts.names), bool)
    in_view[list(items)] = True
    found: dict[Pair, int] = {}
    for predicate, pairs in _of_the_room(facts):
        for pair in pairs:
            found.setdefault(pair, _INDEX[predicate])
    piled = _piled(facts)

    def is_unrelated(a: int, b: int) -> bool:
        is_free = (a, b) not in found and found.get((b, a), _LOOKING) == _LOOKING
        return is_free and not piled[a, b]

    for predicate, pairs in (
        ("over", _over(facts)),
        ("in front of", _in_front_of(facts, picture)),
        ("beside", _beside(facts, camera)),
    ):
        free = {pair for pair in pairs if is_unrelated(*pair)}
        if predicate == "beside":
            free = {(a, b) for a, b in free if (b, a) in free}
        found |= dict.fromkeys(sorted(free), _INDEX[predicate])
    return {(a, b): predicate for (a, b), predicate in found.items() if in_view[a] and in_view[b]}


def _of_the_room(facts: Facts) -> Iterator[tuple[str, list[Pair]]]:
    """The predicates that do not depend on the camera, in `ORDER`, each with its pairs."""

    def fastened(how: str) -> list[Pair]:
        holders = facts.holders.tolist()
        return [(a, holders[a]) for a, what in enumerate(facts.fastenings) if what == how]

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
    """Pairs of someone who leans and what touches them sideways.

    What they hold or bear, and what bears them, does not count.
    """
    others = facts.props & ~facts.rests_on & ~facts.rests_on.T & facts.leans[:, None]
    return [(a, b) for a, b in _pairs(others) if facts.holders[b] != a]


def _piled(facts: Facts) -> np.ndarray:
    """Whether one of two items bears or encloses the other, maybe through others: (N, N) bool."""
    steps = facts.rests_on | facts.encloses.T
    piled = steps
    for _ in range(3):  # a ball in a bowl on a book on a table
        piled = piled | piled @ steps
    return piled | piled.T


def _over(facts: Facts) -> list[Pair]:
    """Pairs of which a hangs, or is held, above b.

    The gap between their boxes is within `OVER_GAP`, and their footprints overlap by `OVERLAP`.
    b is the nearest such item below a, or it bears that item: a lamp is over a cup and over the
    cup's table. An item that rests on something, or is in something, is over nothing.
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
    for a in np.flatnonzero(holds.any(1)).tolist():
        nearest = int(np.where(below[a], gap[a], np.inf).argmin())
        if holds[a, nearest]:
            bearers = np.flatnonzero(facts.rests_on[nearest] & holds[a]).tolist()
            pairs += [(a, b) for b in (nearest, *bearers)]
    return pairs


def _in_front_of(facts: Facts, picture: Picture) -> list[Pair]:
    """Pairs that meet in the image, with b behind a.

    Along an edge of `HIDES_EDGE` or more, b is deeper by `HIDES_DEPTH` or more. If each hides a
    part of the other, the one with the longer edge is in front.
    """
    n = len(facts.names)
    thing = np.append(facts.things, False)  # the last is for -1, nothing
    edges = np.zeros((n, n), int)
    for here, there in ((np.s_[:, :-1], np.s_[:, 1:]), (np.s_[:-1], np.s_[1:])):
        a, b = picture.items[here], picture.items[there]
        border = np.nonzero(a != b)
        a, b = a[border], b[border]
        behind = picture.depth[there][border] - picture.depth[here][border]
        counts = thing[a] & thing[b] & (np.abs(behind) >= HIDES_DEPTH)
        near, far = np.where(behind > 0, a, b)[counts], np.where(behind > 0, b, a)[counts]
        edges += np.bincount(near * n + far, minlength=n * n).reshape(n, n)
    return _pairs((edges >= HIDES_EDGE * picture.items.shape[0]) & (edges > edges.T))


def _beside(facts: Facts, camera: Camera) -> list[Pair]:
    """Pairs that stand on the same item, near each other and side by side for the camera.

    Near is within `BESIDE_GAP` and `BESIDE_SHARE`. Side by side is further apart across the
    camera's direction of view than along it. Floors and rugs count as one item.
    """
    rests = facts.rests_on & facts.things[:, None]
    ground = np.array([name in GROUND for name in facts.names])
    is_grounded = (rests & ground).any(1)
    same = (rests[:, ~ground] @ rests[:, ~ground].T) | np.logical_and.outer(
        is_grounded, is_grounded
    )
    gap, share = _footprints(facts.extents)
    width = np.ptp(facts.extents[:, :, :2], axis=1).max(1)
    near = gap < np.minimum(BESIDE_GAP, BESIDE_SHARE * np.maximum(width[:, None], width))
    middles = facts.extents[:, :, :2].mean(1)
    offset = middles[:, None] - middles[None]
    across = np.abs(offset @ camera.rotation[:2, 0])
    along = np.sqrt(np.maximum(0, (offset**2).sum(2) - across**2))
    return _pairs(same & near & (share < OVERLAP) & (across > along))


def _footprints(extents: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Compare the footprints, seen from above, of all pairs of boxes.

    Returns:
        (N, N) horizontal distance between two boxes, m, and (N, N) their overlap as a share of the
        smaller footprint.
    """
    low, high = extents[:, 0, :2], extents[:, 1, :2]
    overlap = np.minimum(high[:, None], high[None]) - np.maximum(low[:, None], low[None])
    area = (high - low).prod(1)
    share = np.maximum(overlap, 0).prod(2) / np.minimum(area[:, None], area[None])
    return np.linalg.norm(np.maximum(-overlap, 0), axis=2), share


def _pairs(holds: np.ndarray) -> list[Pair]:
    """The pairs for which an (N, N) bool matrix is true."""
    return [(int(a), int(b)) for a, b in np.argwhere(holds)]
