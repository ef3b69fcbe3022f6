"""What a relation stage is given, in PyTorch's tensors or NumPy's arrays. Imports no torch."""

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from dsflash_ros.model.array_types import Array


class PairInputs(NamedTuple):
    """What a relation stage is given of B images with S segments and n pairs in all.

    The pipeline and the training fill it alike. Segments are numbered through the batch.

    Attributes:
        prepared: (B, ...), what `RelationStage.prepare` made of the segmenter's features.
        coverage: (S, grid * grid) float32 in 0..1, the share of each cell that a segment covers, in
            row-major order; cells are those of `RelationStage.cell`.
        boxes: (S, 4) float32, x0, y0, x1, y1, scaled to -1..1 over the network input.
        class_ids: (S,) int64.
        class_probabilities: (S, classes) float32; they sum to 1 or less, the rest is "no object".
            `known_classes` where classes are given.
        images: (S,) int64, the image that a segment belongs to.
        pairs: (n, 2) int64, segments a and b of one image; each unordered pair once.
    """

    prepared: "Array"
    coverage: "Array"
    boxes: "Array"
    class_ids: "Array"
    class_probabilities: "Array"
    images: "Array"
    pairs: "Array"
