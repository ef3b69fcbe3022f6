"""How fast images of a data set come out of the loader: decoded, augmented, in batches."""

import time

import cv2
import torch
from torch.utils.data import DataLoader

from dsflash_ros.data.psg import PsgDataset
from dsflash_ros.data.views import View, Views
from dsflash_ros.text_tables import Row
from dsflash_ros.threads import usable_cores

BATCH = 8
_PREFETCH = 2


def measure(
    dataset: PsgDataset, image_size: int, augmentation: str, workers: int, count: int
) -> Row:
    """Images a second, without those that the workers have ready at the start.

    Args:
        dataset: at least one image; they come again and again.
        image_size: side of the network input, pixels.
        augmentation: of `Views`.
        workers: processes; 0 loads in this one.
        count: images to measure, at least.
    """
    warm_up = 1 + workers * _PREFETCH
    batches = warm_up + -(-count // BATCH)
    loader = DataLoader(
        Views(dataset, image_size, augmentation),
        # (epoch, index)
        sampler=[divmod(number, len(dataset)) for number in range(batches * BATCH)],
        batch_size=BATCH,
        num_workers=workers,
        prefetch_factor=_PREFETCH if workers else None,
        collate_fn=_collate,
    )
    threads = torch.get_num_threads(), cv2.getNumThreads()
    torch.set_num_threads(1)  # as in workers
    cv2.setNumThreads(1)
    try:
        arrivals = [time.perf_counter() for _ in loader]
    finally:
        torch.set_num_threads(threads[0])
        cv2.setNumThreads(threads[1])
    rate = (batches - warm_up) * BATCH / (arrivals[-1] - arrivals[warm_up - 1])
    cores = min(max(workers, 1), usable_cores())
    return {
        "augmentation": augmentation,
        "image size": image_size,
        "workers": workers,
        "images/s": round(rate, 1),
        "images/s a core": round(rate / cores, 1),
    }


def _collate(views: list[View]) -> tuple[torch.Tensor, ...]:
    """What a training step needs, as tensors: they leave a worker in shared memory."""
    return tuple(
        torch.stack([torch.from_numpy(getattr(view, name)) for view in views])
        for name in ("image", "labels")
    )
