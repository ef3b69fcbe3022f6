"""Writing data sets in the format of PSG."""

import json
import re
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from dsflash_ros.data.panoptic_png import colours_of
from dsflash_ros.errors import DatasetError, OutputError
from dsflash_ros.files import expand, replacing
from dsflash_ros.graph.label_maps import label_boxes
from dsflash_ros.graph.vocabulary import Vocabulary

_JPEG_QUALITY = 95
_KNUTH = 2654435761
"""Odd, so that multiplying by it modulo 2^24 gives each segment a colour of its own.

Neighbours get unlike ones.
"""


class PsgWriter:
    """A folder with `psg.json`, `images/` and `panoptic/`. A context manager.

    Each image is on the disk when `add` returns; `psg.json` is written whole when the block ends,
    not at all when it ends by an exception. What cannot be written raises `OutputError` and leaves
    no half file.
    """

    def __init__(self, directory: str | Path, vocabulary: Vocabulary, image_format: str = "jpg"):
        """`image_format`: "jpg" (quality 95) or "png" (exact)."""
        if image_format not in ("jpg", "png"):
            raise ValueError(f"images can be written as jpg or png, not {image_format!r}")
        self._directory, self._vocabulary = expand(directory), vocabulary
        self._format = image_format
        self._records: list[dict] = []
        self._splits: dict[str, list[str]] = {"train": [], "val": [], "test": []}

    def add(
        self,
        image_id: str,
        rgb: np.ndarray,
        labels: np.ndarray,
        class_ids: Sequence[int],
        relations: Sequence[Sequence[int]],
        split: str = "train",
    ) -> dict:
        """Write an image and its mask. Returns the record for `psg.json`, which `collect` takes.

        Args:
            image_id: letters, digits, `-`, `_` and `.`; the files' names.
            rgb: (H, W, 3) uint8.
            labels: (H, W) int, index of each pixel's segment, -1 where there is none.
            class_ids: (S,) ids of the vocabulary's classes; each segment needs at least one pixel.
            relations: (R, 3) subject, object (indexes of segments), predicate.
            split: "train", "val" or "test".

        Raises:
            DatasetError: labels, classes, relations disagree.
            OutputError: the files cannot be written.
        """
        labels, class_ids = np.asarray(labels), np.asarray(class_ids, np.int64).reshape(-1)
        relations = np.asarray(relations, np.int64).reshape(-1, 3)
        if split not in self._splits:
            raise DatasetError(
                f"image {image_id}: there is no split {split!r}, only {', '.join(self._splits)}"
            )
        self._check(image_id, rgb, labels, class_ids, relations)
        record = self._record(image_id, labels, class_ids, relations)
        ids = [info["id"] for info in record["segments_info"]]
        segment_ids = np.array([*ids, 0])  # label -1 takes the last
        self._write(record["file_name"], _encode(f".{self._format}", rgb))
        self._write(record["pan_seg_file_name"], _encode(".png", colours_of(segment_ids[labels])))
        self.collect(record, split)
        return record

    def collect(self, record: dict, split: str = "train") -> None:
        """Take the record of an image that is on the disk already.

        It is what `add` returned, maybe in another process.
        """
        self._records.append(record)
        self._splits[split].append(record["image_id"])

    def _check(
        self,
        image_id: str,
        rgb: np.ndarray,
        labels: np.ndarray,
        class_ids: np.ndarray,
        relations: np.ndarray,
    ) -> None:
        if not re.fullmatch(r"\w[\w.-]*", image_id):
            raise DatasetError(
                f"the image id {image_id!r} must be letters, digits, '-', '_' and '.'"
            )
        if rgb.dtype != np.uint8 or rgb.shape != (*labels.shape, 3):
            raise DatasetError(
                f"image {image_id}: {rgb.dtype} pixels {rgb.shape} do not fit labels {labels.shape}"
            )
        found = np.unique(labels)
        if not np.array_equal(found[found != -1], np.arange(len(class_ids))):
            raise DatasetError(
                f"image {image_id}: labels must be -1 and each of the {len(class_ids)} segments, "
                f"got {found.tolist()}"
            )
        segments, predicates = len(class_ids), len(self._vocabulary.predicates)
        ends = len(self._vocabulary.classes), segments, segments, predicates
        for values, end in zip((class_ids, *relations.T), ends, strict=True):
            if ((values < 0) | (values >= end)).any():
                raise DatasetError(
                    f"image {image_id}: a class, segment or predicate of {values.tolist()} is not "
                    f"below {end}"
                )

    def _record(
        self, image_id: str, labels: np.ndarray, class_ids: np.ndarray, relations: np.ndarray
    ) -> dict:
        areas = np.bincount(labels[labels >= 0], minlength=len(class_ids)).tolist()
        boxes = label_boxes(labels, len(class_ids)).astype(float).tolist()
        return {
            "image_id": image_id,
            "coco_image_id": image_id,
            "file_name": f"images/{image_id}.{self._format}",
            "pan_seg_file_name": f"panoptic/{image_id}.png",
            "height": labels.shape[0],
            "width": labels.shape[1],
            "segments_info": [
                {
                    "id": (index + 1) * _KNUTH % (1 << 24),
                    "category_id": class_id,
                    "area": areas[index],
                    "iscrowd": 0,
                    "isthing": int(self._vocabulary.is_thing(class_id)),
                }
                for index, class_id in enumerate(class_ids.tolist())
            ],
            "annotations": [
                {"bbox": box, "bbox_mode": 0, "category_id": class_id}
                for box, class_id in zip(boxes, class_ids.tolist(), strict=True)
            ],
            "relations": relations.tolist(),
        }

    def _write(self, name: str, data: bytes) -> None:
        path = self._directory / name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(
                f"cannot write to {path.parent}: {error.strerror}; choose another folder"
            ) from error
        with replacing(path) as partial:
            partial.write_bytes(data)

    def __enter__(self) -> "PsgWriter":
        return self

    def __exit__(self, kind, *_) -> None:
        if kind is not None:
            return
        content = {
            "thing_classes": self._vocabulary.things,
            "stuff_classes": self._vocabulary.stuff,
            "predicate_classes": self._vocabulary.predicates,
            "test_image_ids": self._splits["test"],
            **({"val_image_ids": self._splits["val"]} if self._splits["val"] else {}),
            "data": self._records,
        }
        self._write("psg.json", json.dumps(content).encode())


def _encode(suffix: str, rgb: np.ndarray) -> bytes:
    """The bytes of a `.jpg` or `.png` file."""
    options = [cv2.IMWRITE_PNG_COMPRESSION, 1]
    if suffix == ".jpg":
        options = [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY]
    return cv2.imencode(suffix, cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR), options)[1].tobytes()
