"""Which segments of a frame show which tracks.

Each pair of a track and a segment has an affinity: a sum of what masks, classes, appearance and
positions say, above 0 where they say "the same". The weights were chosen on drives through the toy
world.
"""

from collections.abc import Sequence

import numpy as np
from scipy.optimize import linear_sum_assignment

from dsflash_ros.graph.scene_graph import Node
from dsflash_ros.tracking.track_masks import TrackMasks
from dsflash_ros.tracking.tracks import Track

UNLIKELY = -1e3
"""Affinity of what cannot be the same."""

MASK, MASK_NEUTRAL = 6.0, 0.2
"""Weight of the masks' similarity, and the similarity that says nothing."""

_PART, _KNOWN_AS = 0.7, 0.3
"""What a part of the other mask counts beside intersection over union; for classes that make up so
much of the track's past.
"""

CLASS = 2.0
"""A class that the track was always taken for adds this; one that it never was subtracts it."""

APPEARANCE, APPEARANCE_NEUTRAL = 4.0, 0.5
"""Weight of the cosine of the appearances, and the cosine that says nothing."""

_ONE_THREAD = 2**18
"""Multiplications up to which OpenBLAS takes one thread; others would keep cores busy for longer
than the product takes, see `dsflash_ros.threads`.
"""

POSITION, POSITION_NEUTRAL_M = 6.0, 0.5
"""Weight of the positions, and the distance, metres, that says nothing."""


def affinities(
    tracks: Sequence[Track],
    masks: TrackMasks,
    nodes: Sequence[Node],
    labels: np.ndarray,
    appearance: np.ndarray | None,
    positions: np.ndarray,
) -> np.ndarray:
    """The affinity of each track and each node, (T, S). Stuff goes with stuff of its class.

    Args:
        tracks: T of them.
        masks: theirs, moved into the present image.
        nodes: S of them.
        labels: (h, w) int, index of the node of each pixel of the small image, or below 0.
        appearance: (S, D) of unit length; None where that is not known.
        positions: (S, 3) metres; NaN where not known.
    """
    shape = len(tracks), len(nodes)
    taken = [node.class_id for node in nodes]
    shares = [[track.classes.shares.get(one, 0.0) for one in taken] for track in tracks]
    shares = np.array(shares, float).reshape(shape)
    iou, part = masks.overlaps([track.id for track in tracks], labels, len(nodes))
    affinity = from_masks(iou, part, shares) + from_classes(shares)
    places = rows([track.position for track in tracks], 3)
    affinity += from_positions(places, positions)
    is_known = ~np.isnan(places).any(1)
    if appearance is not None:
        looks = rows([track.appearance for track in tracks], appearance.shape[1])
        affinity += from_appearance(looks, appearance)
        is_known |= ~np.isnan(looks).any(1)
    has_mask = np.array([track.id in masks.areas for track in tracks], bool)
    affinity[~has_mask & ~is_known] = UNLIKELY  # a class alone does not tell who it is
    track_things = np.array([track.node.is_thing for track in tracks], bool)[:, None]
    things = np.array([node.is_thing for node in nodes], bool)
    same = [[track.node.class_id == node.class_id for node in nodes] for track in tracks]
    same_stuff = np.array(same, bool).reshape(shape) & ~track_things & ~things
    of_stuff = np.where(same_stuff, -UNLIKELY, UNLIKELY)
    return np.where(track_things & things, affinity, of_stuff)


def rows(vectors: Sequence[Sequence[float] | None], length: int) -> np.ndarray:
    """Vectors as an array, (n, length) float; NaN for those that are None."""
    nothing = [np.nan] * length
    found = [nothing if vector is None else vector for vector in vectors]
    return np.array(found, float).reshape(len(vectors), length)


def from_masks(iou: np.ndarray, part: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """What masks say, of `TrackMasks.overlaps` and `from_classes`' shares.

    An object half hidden is part of its former mask, if its class says so, too: other things come
    in front of it.
    """
    of_part = np.where(shares > _KNOWN_AS, _PART * part, 0)
    return MASK * (np.maximum(iou, of_part) - MASK_NEUTRAL)


def from_classes(shares: np.ndarray) -> np.ndarray:
    """What classes say: `shares`, (T, S), of the tracks' past were of the segments' classes."""
    return CLASS * (2 * shares - 1)


def from_appearance(tracks: np.ndarray, segments: np.ndarray) -> np.ndarray:
    """What appearance says, of rows of unit length (T, D) and (S, D); rows of NaN say nothing."""
    at_once = max(1, _ONE_THREAD // max(1, segments.size))
    parts = [tracks[i : i + at_once] @ segments.T for i in range(0, len(tracks), at_once)]
    cosines = np.concatenate(parts) if parts else np.zeros((0, len(segments)))
    return np.nan_to_num(APPEARANCE * (cosines - APPEARANCE_NEUTRAL))


def from_positions(tracks: np.ndarray, segments: np.ndarray) -> np.ndarray:
    """What positions say, of (T, 3) and (S, 3) metres; rows of NaN say nothing."""
    distances = np.linalg.norm(tracks[:, None] - segments, axis=2)
    return np.nan_to_num(POSITION * (1 - distances / POSITION_NEUTRAL_M).clip(-1.5, 1))


def best_pairs(affinity: np.ndarray) -> list[tuple[int, int]]:
    """The one-to-one assignment of rows and columns with the largest sum of positive affinities."""
    if not affinity.size:
        return []
    rows, columns = linear_sum_assignment(np.maximum(affinity, 0), maximize=True)
    pairs = zip(rows.tolist(), columns.tolist(), strict=True)
    return [(row, column) for row, column in pairs if affinity[row, column] > 0]
