"""What a training step of the segmenter needs of each image, made by the loading processes."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch.utils.data import Dataset

from dsflash_ros.data.psg import Record
from dsflash_ros.data.views import Views


class SegmenterSample(NamedTuple):
    """An image with n segments and c crowds in view.

    Attributes:
        image: (3, S, S) uint8 RGB.
        labels: (S, S) int16; 0 to n - 1 the segments, n to n + c - 1 the crowds, -1 elsewhere.
        class_ids: (n,) int64, of the segments.
        crowd_ids: (c,) int64, of the crowds, which no query has to find.
        content: rows and columns of the network input that show the image.
    """

    image: torch.Tensor
    labels: torch.Tensor
    class_ids: torch.Tensor
    crowd_ids: torch.Tensor
    content: tuple[int, int]


class SegmenterBatch(NamedTuple):
    """Several images: `images` and `labels` stacked, the others one for each image."""

    images: torch.Tensor
    labels: torch.Tensor
    class_ids: tuple[torch.Tensor, ...]
    crowd_ids: tuple[torch.Tensor, ...]
    contents: tuple[tuple[int, int], ...]


class SegmenterSamples(Dataset):
    """Samples by (epoch, index), the same in each process; an index alone is of epoch 0.

    Args:
        records: the images.
        image_size: side of the network input, pixels.
        augmentation, seed: see `Views`.
    """

    def __init__(
        self, records: Sequence[Record], image_size: int, augmentation: str = "none", seed: int = 0
    ) -> None:
        self.views, self.records = Views(records, image_size, augmentation, seed), records

    def __len__(self) -> int:
        return len(self.records)

    def __getitem__(self, key: int | tuple[int, int]) -> SegmenterSample:
        view = self.views[key]
        record = self.records[view.index]
        in_view = np.flatnonzero(np.bincount(view.labels.reshape(-1) + 1)[1:])
        is_crowd = record.crowd[in_view]
        segments, crowds = in_view[~is_crowd], in_view[is_crowd]
        number = np.full(len(record.class_ids) + 1, -1, np.int16)  # label -1 takes the last entry
        number[np.concatenate((segments, crowds))] = np.arange(len(in_view))
        return SegmenterSample(
            torch.from_numpy(view.image).permute(2, 0, 1).contiguous(),
            torch.from_numpy(number[view.labels]),
            torch.from_numpy(record.class_ids[segments]),
            torch.from_numpy(record.class_ids[crowds]),
            (view.height, view.width),
        )


def collate_segmenter(samples: list[SegmenterSample]) -> SegmenterBatch:
    """Put samples together."""
    images, labels, class_ids, crowd_ids, contents = zip(*samples, strict=True)
    return SegmenterBatch(torch.stack(images), torch.stack(labels), class_ids, crowd_ids, contents)
