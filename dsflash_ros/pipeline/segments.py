"""Segments in the network's frame, measured in the source image, on tensors."""

from dataclasses import dataclass

import numpy as np
import torch

from dsflash_ros.graph.scene_graph import NOTHING, pack_panoptic
from dsflash_ros.images.letterbox import Letterbox
from dsflash_ros.model.panoptic import Segments, boxes_of, merge_panoptic
from dsflash_ros.model.relaters.coverage import mask_coverage
from dsflash_ros.model.segmenters.segmentation import MASK_STRIDE, Segmentation
from dsflash_ros.pipeline.options import Options
from dsflash_ros.pipeline.source_measures import SampledLines, SourceMeasures
from dsflash_ros.pipeline.specks import without_specks


@dataclass(frozen=True)
class ImageSegments:
    """The segments of one image, measured in its source pixels. Made by `measure`.

    Attributes:
        segments: in the network's frame, one label for `stride` x `stride` input pixels.
        masks: (S, h, w) bool, the same.
        letterbox: how the source image lies in the network input.
        stride: 1 or 4.
        areas: (S,) int, source pixels, at least 1.
        boxes: (S, 4) int, source pixels, x0, y0, x1, y1, the last two exclusive.
        centroids: (S, 2) float, source pixels, mean x and y of the pixel centres.
    """

    segments: Segments
    masks: torch.Tensor
    letterbox: Letterbox
    stride: int
    areas: np.ndarray
    boxes: np.ndarray
    centroids: np.ndarray

    def __len__(self) -> int:
        return len(self.segments)

    @classmethod
    def measure(cls, segments: Segments, letterbox: Letterbox, stride: int) -> "ImageSegments":
        """Measure segments. Those that no source pixel falls on are dropped.

        (An image may be smaller than the input.)
        """
        lines = SampledLines.of(letterbox, stride, segments.labels.shape)
        masks = segments.masks()
        weights = masks.float()
        # source pixels of each segment, (S, h) and (S, w)
        in_row = _numpy(weights @ _like(lines.column_count, weights)) * lines.row_count
        in_column = _numpy(_like(lines.row_count, weights) @ weights) * lines.column_count
        measures = SourceMeasures.of(in_row, in_column, lines)
        alive = measures.areas > 0
        if not alive.all():
            kept = segments.select(torch.from_numpy(alive).to(segments.labels.device))
            return cls.measure(kept, letterbox, stride)
        return cls(segments, masks, letterbox, stride, *measures)

    def locations(self) -> torch.Tensor:
        """(S, 4) float: boxes over the whole network input, padding included, scaled to -1..1."""
        return boxes_of(self.masks) * (2 * self.stride / self.letterbox.image_size) - 1

    def appearance(self, features: torch.Tensor) -> np.ndarray:
        """The segmenter's features, (channels, h, w), averaged over each segment.

        (S, channels) float32; zeros for segments too small to cover any of them.
        """
        side = self.letterbox.image_size // self.stride
        window = side // features.shape[-1]
        shares = mask_coverage(self.masks, window, features.shape[-1])
        shares = shares / shares.sum(1, keepdim=True).clamp(min=1e-6)
        return (shares @ features.flatten(1).T.float()).cpu().numpy()

    def panoptic(self) -> np.ndarray:
        """(H, W) int32 at source resolution, packed as `SceneGraph.panoptic`.

        Node ids are segment numbers.
        """
        ids = torch.arange(len(self), device=self.masks.device)
        packed = pack_panoptic(self.segments.class_ids, ids)
        packed = torch.cat((packed, ids.new_tensor([NOTHING]))).int()
        small = packed[self.segments.labels].cpu().numpy()  # label -1 takes the last entry
        rows = self.letterbox.sample_rows(self.stride)
        columns = self.letterbox.sample_columns(self.stride)
        # Both at once, small[rows][:, columns], would give a transposed array, slow for whoever
        # reads it.
        return small.take(columns, 1).take(rows, 0)


def merge_segments(
    segmentation: Segmentation, index: int, num_things: int, box: Letterbox, options: Options
) -> ImageSegments:
    """The segments of one image of a batch, without the padding.

    `index` is the image's, `num_things` how many of the classes are things.
    """
    stride = MASK_STRIDE if options.low_resolution_masks else 1
    segments = merge_panoptic(
        segmentation.mask_logits[index],
        segmentation.class_logits[index],
        num_things,
        options.mask_threshold,
        options.overlap_threshold,
        side=box.image_size // stride,
        crop=(-(-box.height // stride), -(-box.width // stride)),
    )
    if len(segments) > options.max_segments:
        best = segments.scores.topk(options.max_segments).indices
        keep = torch.zeros_like(segments.scores, dtype=torch.bool).scatter(0, best, True)
        segments = segments.select(keep)
    segments = without_specks(segments, num_things, options.least_part)
    return ImageSegments.measure(segments, box, stride)


def _like(counts: np.ndarray, tensor: torch.Tensor) -> torch.Tensor:
    return torch.from_numpy(counts).to(tensor)


def _numpy(tensor: torch.Tensor) -> np.ndarray:
    return tensor.double().cpu().numpy()
