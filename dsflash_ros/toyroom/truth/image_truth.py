"""The true panoptic scene graph of a picture."""

from dataclasses import dataclass

import numpy as np

from dsflash_ros.toyroom import VOCABULARY
from dsflash_ros.toyroom.build.scene import Camera, Picture
from dsflash_ros.toyroom.physics.facts import Facts
from dsflash_ros.toyroom.truth.relation_rules import ORDER, relate

MIN_SHARE = 0.0015
"""Share of the image's pixels that a segment must have; what shows less gets no label.

460 pixels of 640x480, or about 21x21, are enough to recognize something.
"""


@dataclass(frozen=True, eq=False)
class Truth:
    """The segments of a picture and their relations.

    Attributes:
        labels: (H, W) int32, index of the segment that each pixel belongs to; -1 for none.
        class_ids: (S,) int64, class id of each segment in `VOCABULARY`. Things come first, in the
            order of the items, then stuff, in the order of the classes.
        relations: (R, 3) int64: subject, object, predicate. At most one for each directed pair, and
            none of a segment with itself.
        items: indexes of the items that each segment shows: one item for a thing, all items of the
            class in view for stuff.
        track_ids: (S,) int64, which object each segment is; the same in all pictures of a room.
    """

    labels: np.ndarray
    class_ids: np.ndarray
    relations: np.ndarray
    items: tuple[tuple[int, ...], ...]
    track_ids: np.ndarray


def truth_of(facts: Facts, picture: Picture, camera: Camera) -> Truth:
    """Find the segments of a picture that a camera took, and their relations.

    `facts` are those of the room.
    """
    classes = np.array([VOCABULARY.classes.index(name) for name in facts.names])
    segments = _segments(facts, picture, classes)
    segment_of = np.full(len(classes) + 1, -1, np.int32)  # the last is for -1, nothing
    for segment, items in enumerate(segments):
        segment_of[list(items)] = segment
    class_ids = np.array([classes[items[0]] for items in segments], np.int64)
    first = np.array([items[0] for items in segments], np.int64)
    return Truth(
        labels=segment_of[picture.items],
        class_ids=class_ids,
        relations=_relations(facts, picture, camera, segment_of[:-1]),
        items=tuple(segments),
        # stuff comes after all items: one object for each class
        track_ids=np.where(facts.things[first], first, len(classes) + class_ids),
    )


def _segments(facts: Facts, picture: Picture, classes: np.ndarray) -> list[tuple[int, ...]]:
    """The items of each segment that is large enough. `classes` has the class id of each item."""
    counts = np.bincount(picture.items.ravel() + 1, minlength=len(classes) + 1)
    pixels = counts[1:]  # the first counts -1, nothing
    in_view = np.flatnonzero(pixels)
    segments = [(item,) for item in in_view[facts.things[in_view]].tolist()]
    for class_id in range(len(VOCABULARY.things), len(VOCABULARY.classes)):
        segments.append(tuple(in_view[classes[in_view] == class_id].tolist()))
    enough = MIN_SHARE * picture.items.size
    return [items for items in segments if pixels[list(items)].sum() >= enough]


def _relations(
    facts: Facts, picture: Picture, camera: Camera, segment_of: np.ndarray
) -> np.ndarray:
    """Relations between segments, (R, 3) int64. `segment_of` has the segment of each item.

    If several items of one segment relate to another segment, the most specific predicate counts.
    """
    rank = {VOCABULARY.predicates.index(name): place for place, name in enumerate(ORDER)}
    related = relate(facts, picture, camera, np.flatnonzero(segment_of >= 0))
    found: dict[tuple[int, int], int] = {}
    for (a, b), predicate in sorted(related.items(), key=lambda item: rank[item[1]]):
        pair = int(segment_of[a]), int(segment_of[b])
        if pair[0] != pair[1]:
            found.setdefault(pair, predicate)
    rows = [(*pair, predicate) for pair, predicate in sorted(found.items())]
    return np.array(rows, np.int64).reshape(-1, 3)
