"""Records of a data set in the frame of the network's input: scaled, padded, augmented."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch.distributed
from torch.utils.data import Dataset, DistributedSampler, get_worker_info

from dsflash_ros.data.augmentation import deit3_colours
from dsflash_ros.data.psg import Record
from dsflash_ros.errors import ConfigError, DatasetError
from dsflash_ros.graph.label_maps import label_boxes
from dsflash_ros.images.letterbox import Letterbox
from dsflash_ros.pipeline.resizing import fit_image

AUGMENTATIONS = ("none", "flip", "deit3", "eomt")
"""See `Views`."""

_CROPS = 50
"""How many random crops are tried until one shows a segment."""


@dataclass(frozen=True, eq=False)
class View:
    """An image in the frame of the network's input, S pixels square.

    Attributes:
        index, image_id: of the record.
        image: (S, S, 3) uint8 RGB; content top left, black padding below and to the right. Empty
            where images are not read.
        labels: (S, S) int16, index of the record's segment, -1 where none is.
        boxes: (n, 4) float32, x0, y0, x1, y1 in pixels of the input, of all n segments of the
            record. They are measured in the source image, so that segments too small for `labels`
            have one. Of "eomt", which crops, they are those of `labels`, zeros without a pixel.
        height, width: pixels of the content.
        flipped: mirrored, left to right.
    """

    index: int
    image_id: str
    image: np.ndarray
    labels: np.ndarray
    boxes: np.ndarray
    height: int
    width: int
    flipped: bool


class Views(Dataset):
    """Views of the records of a data set.

    The same seed, epoch and index give the same view in any process.

    Augmentations:
        none: the letterbox that inference uses.
        flip: mirrored half of the time.
        deit3: flip, colour jitter, then grayscale, solarisation or blur (DSFlash, section 3.6).
        eomt: flip, a random scale of 0.1 to 2 times the letterbox's, a random crop (as EoMT does on
            COCO).
    """

    def __init__(
        self,
        dataset: Sequence[Record],
        image_size: int,
        augmentation: str = "none",
        seed: int = 0,
        with_images: bool = True,
    ):
        """`with_images`: False leaves images unread, which saves most of the time.

        "deit3" and "eomt" need them.
        """
        if augmentation not in AUGMENTATIONS:
            raise ConfigError(
                f"no augmentation is called {augmentation!r}; there are {', '.join(AUGMENTATIONS)}"
            )
        self.dataset, self.image_size, self.seed = dataset, image_size, seed
        self.augmentation, self.with_images = augmentation, with_images

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, item: int | tuple[int, int]) -> View:
        """Make a view. `item`: an index, or `(epoch, index)` as `EpochSampler` yields.

        Raises `DatasetError` when the files are damaged.
        """
        epoch, index = item if isinstance(item, tuple) else (0, item)
        if get_worker_info() is not None:
            # Each worker has a core; threads within workers would fight for them.
            cv2.setNumThreads(0)
        random = np.random.default_rng((self.seed, epoch, index))
        record = self.dataset[index]
        try:
            if self.augmentation == "eomt":
                return _cropped(record, index, self.image_size, random)
            return _letterboxed(
                record, index, self.image_size, self.augmentation, random, self.with_images
            )
        except DatasetError as error:
            raise ViewError(str(error)) from error


class ViewError(DatasetError):
    """A `DatasetError` with the same message after it left a worker of the loader.

    The loader makes a worker's error anew from its whole traceback; the last line is the message.
    """

    def __init__(self, message: str):
        super().__init__(message.rstrip().rpartition(f"{type(self).__qualname__}: ")[2])


class EpochSampler(DistributedSampler):
    """Yields `(epoch, index)` in an order that follows from seed and epoch.

    `set_epoch` sets the epoch. With several processes each gets its share; some images come twice
    where their number cannot be divided.
    """

    def __init__(
        self,
        indices: Sequence[int],
        shuffle: bool = True,
        seed: int = 0,
        rank: int | None = None,
        world_size: int | None = None,
    ):
        """`indices`: of the images, as in `range(len(views))`.

        `rank` and `world_size` are torch.distributed's by default, or 0 of 1.
        """
        if world_size is None:
            is_distributed = torch.distributed.is_available() and torch.distributed.is_initialized()
            world_size = torch.distributed.get_world_size() if is_distributed else 1
            rank = torch.distributed.get_rank() if is_distributed else 0
        super().__init__(indices, world_size, rank, shuffle, seed)

    def __iter__(self) -> Iterator[tuple[int, int]]:
        for position in super().__iter__():
            yield self.epoch, self.dataset[position]


def _letterboxed(
    record: Record,
    index: int,
    image_size: int,
    augmentation: str,
    random: np.random.Generator,
    with_image: bool,
) -> View:
    """The view in the letterbox of inference: "none", "flip" and "deit3"."""
    box = Letterbox(record.height, record.width, image_size)
    height, width = box.height, box.width
    flipped = augmentation != "none" and random.random() < 0.5
    labels = record.labels()
    boxes = box.scale_boxes(label_boxes(labels, len(record.segment_ids)))
    image = fit_image(record.image(), box) if with_image else np.empty((0, 0, 3), np.uint8)
    content = image[:height, :width]
    if flipped:
        content[:] = content[:, ::-1].copy()
        boxes[:, [0, 2]] = width - boxes[:, [2, 0]]
    if augmentation == "deit3":
        content[:] = deit3_colours(content, random)
    small = _padded(_sample(labels, box, flipped), image_size, -1)
    return View(
        index, record.image_id, image, small, boxes.astype(np.float32), height, width, flipped
    )


def _cropped(record: Record, index: int, image_size: int, random: np.random.Generator) -> View:
    """A random crop at a random scale, at best one that shows a segment: "eomt"."""
    labels, whole = record.labels(), np.append(~record.crowd, False)  # label -1 takes the last
    for _ in range(_CROPS):
        flipped = random.random() < 0.5
        box = Letterbox(
            record.height, record.width, max(1, round(image_size * random.uniform(0.1, 2.0)))
        )
        height, width = min(box.height, image_size), min(box.width, image_size)
        top, left = (
            int(random.integers(spare + 1)) for spare in (box.height - height, box.width - width)
        )
        window = slice(top, top + height), slice(left, left + width)
        small = _sample(labels, box, flipped)[window]
        if whole[small].any():  # it shows a segment that is no crowd
            break
    content = fit_image(record.image(), box)[: box.height, : box.width]
    image = _padded((cv2.flip(content, 1) if flipped else content)[window], image_size, 0)
    small = _padded(small, image_size, -1)
    boxes = label_boxes(small, len(record.segment_ids)).astype(np.float32)
    return View(index, record.image_id, image, small, boxes, height, width, flipped)


def _sample(labels: np.ndarray, box: Letterbox, flipped: bool) -> np.ndarray:
    """The labels of the content, (box.height, box.width) int16."""
    small = box.sample_labels(labels.astype(np.int16))
    return small[:, ::-1] if flipped else small


def _padded(content: np.ndarray, image_size: int, fill: int) -> np.ndarray:
    """Place (H, W, ...) top left in a square (S, S, ...) of the same type."""
    square = np.full((image_size, image_size, *content.shape[2:]), fill, content.dtype)
    square[: content.shape[0], : content.shape[1]] = content
    return square
