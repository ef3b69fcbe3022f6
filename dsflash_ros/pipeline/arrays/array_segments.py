"""From segments in the network's frame to nodes in the source image's, as `segments` does.

Runs of equal labels take the place of masks: what they cost does not grow with the number of
segments.
"""

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array

from dsflash_ros.graph.label_maps import label_boxes
from dsflash_ros.graph.scene_graph import NOTHING, pack_panoptic
from dsflash_ros.images.letterbox import Letterbox
from dsflash_ros.model.segmenters.segmentation import MASK_STRIDE, Segmentation
from dsflash_ros.pipeline.arrays.array_panoptic import LabelledSegments, merge_arrays
from dsflash_ros.pipeline.arrays.label_runs import LabelRuns
from dsflash_ros.pipeline.options import Options
from dsflash_ros.pipeline.source_measures import SampledLines, SourceMeasures
from dsflash_ros.pipeline.specks import drop_specks


@dataclass(frozen=True)
class ArraySegments:
    """The segments of one image, measured in its source pixels; see `ImageSegments`.

    Attributes:
        segments: in the network's frame, one label for `stride` x `stride` input pixels.
        runs: of the segments' labels.
        letterbox: how the source image lies in the network input.
        stride: 1 or 4.
        areas, boxes, centroids: see `SourceMeasures`.
    """

    segments: LabelledSegments
    runs: LabelRuns
    letterbox: Letterbox
    stride: int
    areas: np.ndarray
    boxes: np.ndarray
    centroids: np.ndarray

    def __len__(self) -> int:
        return len(self.segments)

    @classmethod
    def measure(
        cls, segments: LabelledSegments, letterbox: Letterbox, stride: int
    ) -> "ArraySegments":
        """Measure segments. Those that no source pixel falls on are dropped."""
        lines = SampledLines.of(letterbox, stride, segments.labels.shape)
        runs = LabelRuns.of(segments.labels, len(segments))
        measures = SourceMeasures.of(
            runs.in_rows(lines.column_count) * lines.row_count,
            runs.in_columns(lines.row_count) * lines.column_count,
            lines,
        )
        alive = measures.areas > 0
        if not alive.all():
            return cls.measure(segments.select(alive), letterbox, stride)
        return cls(segments, runs, letterbox, stride, *measures)

    def locations(self) -> np.ndarray:
        """(S, 4) float32: boxes over the whole network input, padding included, in -1..1."""
        boxes = label_boxes(self.segments.labels, len(self))
        return (boxes * (2 * self.stride / self.letterbox.image_size) - 1).astype(np.float32)

    def appearance(self, features: np.ndarray) -> np.ndarray:
        """The segmenter's features, (channels, h, w), averaged over each segment: (S, channels).

        Zeros for segments too small to cover any of them.
        """
        grid = features.shape[-1]
        shares = self.runs.coverage(self.letterbox.image_size // self.stride // grid, grid)
        shares /= np.maximum(shares.sum(1, keepdims=True), 1e-6)
        # Most shares are 0. A dense product would also wake OpenBLAS's threads, see `threads`.
        return csr_array(shares) @ features.reshape(len(features), -1).T.astype(np.float32)

    def panoptic(self) -> np.ndarray:
        """(H, W) int32 at source resolution, packed as `SceneGraph.panoptic`."""
        packed = pack_panoptic(self.segments.class_ids, np.arange(len(self)))
        packed = np.append(packed, NOTHING).astype(np.int32)
        small = packed[self.segments.labels]  # label -1 takes the last entry
        rows = self.letterbox.sample_rows(self.stride)
        columns = self.letterbox.sample_columns(self.stride)
        return small.take(columns, 1).take(rows, 0)


def merge_on_arrays(
    segmentation: Segmentation, index: int, num_things: int, box: Letterbox, options: Options
) -> ArraySegments:
    """The segments of one image of a batch, without the padding, as `merge_segments` gives them."""
    stride = MASK_STRIDE if options.low_resolution_masks else 1
    segments = merge_arrays(
        segmentation.mask_logits[index],
        segmentation.class_logits[index],
        num_things,
        options.mask_threshold,
        options.overlap_threshold,
        side=box.image_size // stride,
        crop=(-(-box.height // stride), -(-box.width // stride)),
    )
    if len(segments) > options.max_segments:
        keep = np.zeros(len(segments), bool)
        keep[np.argsort(-segments.scores, kind="stable")[: options.max_segments]] = True
        segments = segments.select(keep)
    drop_specks(segments.labels, segments.class_ids.tolist(), num_things, options.least_part)
    return ArraySegments.measure(segments, box, stride)
