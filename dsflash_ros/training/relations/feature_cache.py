"""The frozen segmenter's features on disk, so that each image passes it once."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch.utils.data import DataLoader, Subset

from dsflash_ros.data.psg import Record
from dsflash_ros.data.views import View, ViewError, Views
from dsflash_ros.errors import OutputError
from dsflash_ros.files import expand, save_tensors
from dsflash_ros.model.checkpoints import Header, digest_of
from dsflash_ros.model.segmenters.segmenter import Segmenter
from dsflash_ros.progress_bar import progress
from dsflash_ros.training.relations.found_segments import FoundSegments, find_segments


class FeatureCache:
    """Features of images and of their mirror images, bfloat16, one file each.

    With the segments that the segmenter found, where these are wanted.

    A folder may serve several data sets and models: names begin with a digest of the segmenter's
    weights, the network's input size and the precision, and go on with a digest of the image's
    path, size and time of change.
    """

    def __init__(
        self,
        directory: str | Path,
        segmenter: Segmenter,
        header: Header,
        precision: Literal["float32", "bfloat16"],
        with_segments: bool = False,
    ) -> None:
        """`header` is the weights', `precision` what the segmenter computes in; bfloat16 is mixed
        precision. `with_segments`: keep what it finds, too.
        """
        name = f"{digest_of(segmenter)[:16]}-{header.config.image_size}-{precision}"
        if with_segments:
            name = "-".join((name, "segments", *map(str, header.all_thresholds.values())))
        self._folder = expand(directory) / name
        self._header = header
        self._mixed = precision == "bfloat16"
        self._with_segments = with_segments

    def load(self, record: Record, flipped: bool) -> tuple[torch.Tensor, FoundSegments | None]:
        """Features, (channels, h, w) bfloat16, and the segments found.

        Raises `ViewError` when the file is damaged, or gone, or the image is.
        """
        path = record.image_path
        try:
            path = self._path(record, flipped)
            stored = load_file(path)
            features = stored.pop("features")
            return features, FoundSegments(**stored) if self._with_segments else None
        except (OSError, SafetensorError, KeyError, TypeError) as error:
            raise ViewError(
                f"the cached features of image {record.image_id} cannot be read ({path}: {error}); "
                "if that file is there, delete it, and start again"
            ) from error

    def fill(
        self,
        segmenter: Segmenter,
        records: Sequence[Record],
        flips: Sequence[bool],
        batch_size: int,
        workers: int,
    ) -> None:
        """Compute what is missing. Can be interrupted at any time; what is there stays."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(
                f"cannot make the feature cache {self._folder}: {error.strerror or error}"
            ) from error
        for flipped in flips:
            missing = [
                i for i, record in enumerate(records) if not self._path(record, flipped).exists()
            ]
            views = Subset(Views(records, self._header.config.image_size), missing)
            loader = DataLoader(views, batch_size, num_workers=workers, collate_fn=list)
            for batch in progress(loader, "caching features", len(loader), "batch"):
                for view, tensors in zip(batch, self._see(segmenter, batch, flipped), strict=True):
                    save_tensors(self._path(records[view.index], flipped), tensors)

    @torch.inference_mode()
    def _see(
        self, segmenter: Segmenter, views: list[View], flipped: bool
    ) -> list[dict[str, torch.Tensor]]:
        """What to keep of each view, on the CPU."""
        images = np.stack([_mirrored(view) if flipped else view.image for view in views])
        device = next(segmenter.parameters()).device
        pixels = torch.from_numpy(images).to(device).permute(0, 3, 1, 2).float() / 255
        with torch.autocast(device.type, torch.bfloat16, enabled=self._mixed):
            if not self._with_segments:
                features = segmenter.features(pixels).bfloat16().cpu()
                return [{"features": one} for one in features]
            seen = segmenter(pixels)
        kept = []
        for index, view in enumerate(views):
            found = find_segments(seen, index, self._header, (view.height, view.width))
            found = found._replace(labels=found.labels.short())
            tensors = {name: tensor.cpu() for name, tensor in found._asdict().items()}
            kept.append({"features": seen.features[index].bfloat16().cpu(), **tensors})
        return kept

    def _path(self, record: Record, flipped: bool) -> Path:
        path = record.image_path.resolve()
        status = path.stat()  # an image that was replaced has features of its own
        about = f"{path} {status.st_size} {status.st_mtime_ns}"
        name = hashlib.sha256(about.encode()).hexdigest()[:24]
        return self._folder / f"{name}{'-mirrored' if flipped else ''}.safetensors"


def _mirrored(view: View) -> np.ndarray:
    image = view.image.copy()
    image[: view.height, : view.width] = image[: view.height, : view.width][:, ::-1].copy()
    return image
