"""The relations of segments that were found or given, in the names that were asked for."""

from collections.abc import Sequence
from numbers import Integral
from typing import TYPE_CHECKING

import numpy as np

from dsflash_ros.errors import ImageError
from dsflash_ros.images.letterbox import Letterbox
from dsflash_ros.model.ranking import RankedRelations
from dsflash_ros.pipeline.asked_names import AskedNames
from dsflash_ros.pipeline.backends.base import Backend
from dsflash_ros.pipeline.options import Options

if TYPE_CHECKING:
    from dsflash_ros.model.array_types import Array
    from dsflash_ros.pipeline.arrays.array_segments import ArraySegments
    from dsflash_ros.pipeline.segments import ImageSegments


def relate_found(
    found: "list[ImageSegments] | list[ArraySegments]",
    features: "Array",
    backend: Backend,
    names: AskedNames,
    options: Options,
    limits: tuple[float, int],
) -> list[RankedRelations]:
    """The relations of each image, best first, with inner predicates.

    Only pairs of segments whose classes were asked for are related; the others are seen.

    Args:
        found: the segments of each image.
        features: of the images, (B, C, h, w).
        backend, names: what runs the relation stage, and in which names.
        limits: least score, and most relations of an image.
    """
    least, most = limits
    translation, steps = names.translation, backend.steps
    asked = None
    if translation.changes:
        asked = translation.classes >= 0
        most = None  # those of asked predicates are chosen later
    inputs, pairs = steps.pairs_of_found(found, features, backend, asked)
    logits = names.relate(inputs, options)
    ends = np.cumsum([len(own) for own in pairs]).tolist()
    return [
        steps.rank_relations(logits[end - len(own) : end], own, least, most)
        for own, end in zip(pairs, ends, strict=True)
    ]


def relate_given(
    labels: np.ndarray,
    class_ids: np.ndarray,
    letterbox: Letterbox,
    features: "Array",
    backend: Backend,
    names: AskedNames,
    options: Options,
) -> RankedRelations:
    """One relation for each directed pair of given segments, best first, with asked predicates.

    Args:
        labels: (H, W) int, the segment of each pixel, 0 to S - 1, or -1.
        class_ids: (S,) int, their asked classes, or -1.
        letterbox: how the image lies in the network input.
        features: of the image, (1, C, h, w). The others are as for `relate_found`.
    """
    translation, steps = names.translation, backend.steps
    inner, num_classes = translation.inner_classes(class_ids), len(translation.inner.classes)
    inputs = steps.pairs_of_labels(labels, inner, letterbox, features, num_classes, backend)
    ranked = steps.rank_relations(names.relate(inputs, options), inputs.pairs)
    return translation.relations(ranked) if translation.changes else ranked


def check_labels(labels: object, count: object, size: tuple[int, int]) -> None:
    """Raise `ImageError` unless this is a label map of `count` segments, of its image's size."""
    if not isinstance(count, Integral) or isinstance(count, bool) or count < 0:
        raise ImageError(f"the count of segments must be a whole number, 0 or more, got {count!r}")
    what = type(labels).__name__
    if isinstance(labels, np.ndarray):
        what = f"{labels.dtype} array of shape {labels.shape}"
        if labels.dtype.kind in "iu" and labels.shape == size:
            what = _span(labels)
            if labels.min() >= -1 and labels.max() < count:
                return
    raise ImageError(
        f"a label map must be an array of whole numbers, -1 to {count - 1}, of its image's shape, "
        f"{size}; got {what}"
    )


def asked_ids(class_ids: Sequence[int] | None, count: int, num_classes: int) -> np.ndarray:
    """The classes of `count` segments, (count,) int; None: all -1, unknown.

    Raises `ImageError` unless they are one for each, -1 to `num_classes` - 1.
    """
    if class_ids is None:
        return np.full(count, -1)
    ids = np.asarray(class_ids)
    if ids.shape != (count,) or (count and ids.dtype.kind not in "iu"):
        raise ImageError(
            f"class_ids must be whole numbers, one for each of the {count} segments, "
            f"got {ids.dtype} of shape {ids.shape}"
        )
    if count and not (ids.min() >= -1 and ids.max() < num_classes):
        raise ImageError(
            f"class_ids must be those of the pipeline's vocabulary, 0 to {num_classes - 1}, or -1 "
            f"where unknown, got {_span(ids)}"
        )
    return ids.astype(np.int64)


def _span(numbers: np.ndarray) -> str:
    return f"{numbers.min()} to {numbers.max()}"
