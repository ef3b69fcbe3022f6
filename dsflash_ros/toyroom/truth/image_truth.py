"""The panoptic scene graph that a frame really shows."""

from dataclasses import dataclass

import numpy as np

from dsflash_ros.toyroom import VOCABULARY
from dsflash_ros.toyroom.build.scene import Camera, Picture
from dsflash_ros.toyroom.truth.relation_rules import ORDER, Facts, relate

MIN_SHARE = 0.0015
"""Of the image's pixels: 460 of 640x480, some 21x21, are enough to tell what it is.

What shows less has no label.
"""


@dataclass(frozen=True, eq=False)
class Truth:
    """Segments of a frame, and how they relate.

    Attributes:
        labels: (H, W) int32, index of the segment, -1 where nothing labelled is.
        class_ids: (S,) int64, of `VOCABULARY`: things in the order of the items, then stuff in that
            of the classes.
        relations: (R, 3) int64 subject, object, predicate; at most one for each directed pair, none
            with itself.
        items: the items that each segment shows: one for a thing, all pieces in view for stuff.
    """

    labels: np.ndarray
    class_ids: np.ndarray
    relations: np.ndarray
    items: tuple[tuple[int, ...], ...]


def truth_of(facts: Facts, frame: Picture, camera: Camera) -> Truth:
    """What is in view of a camera, and how it relates: `facts` of the room, `frame` as the camera
    sees it.
    """
    classes = np.array([VOCABULARY.classes.index(name) for name in facts.names])
    pixels = np.bincount(frame.items.ravel() + 1, minlength=len(classes) + 1)[
        1:
    ]  # without -1, nothing
    in_view = np.flatnonzero(pixels)
    groups = [(a,) for a in in_view[facts.things[in_view]].tolist()]
    for class_id in range(len(VOCABULARY.things), len(VOCABULARY.classes)):
        groups.append(tuple(in_view[classes[in_view] == class_id].tolist()))
    groups = [
        group for group in groups if pixels[list(group)].sum() >= MIN_SHARE * frame.items.size
    ]
    segment_of = np.full(len(classes) + 1, -1, np.int32)  # the last: nothing
    for segment, group in enumerate(groups):
        segment_of[list(group)] = segment
    return Truth(
        labels=segment_of[frame.items],
        class_ids=np.array([classes[group[0]] for group in groups], np.int64),
        relations=_relations(facts, frame, camera, segment_of[:-1]),
        items=tuple(groups),
    )


def _relations(facts: Facts, frame: Picture, camera: Camera, segment_of: np.ndarray) -> np.ndarray:
    """(R, 3) int64.

    Where pieces of one segment relate to another in several ways, the most specific counts.
    """
    rank = {VOCABULARY.predicates.index(name): place for place, name in enumerate(ORDER)}
    related = relate(facts, frame, camera, np.flatnonzero(segment_of >= 0))
    found: dict[tuple[int, int], int] = {}
    for (a, b), predicate in sorted(related.items(), key=lambda item: rank[item[1]]):
        pair = int(segment_of[a]), int(segment_of[b])
        if pair[0] != pair[1]:
            found.setdefault(pair, predicate)
    return np.array(
        [(*pair, predicate) for pair, predicate in sorted(found.items())], np.int64
    ).reshape(-1, 3)
