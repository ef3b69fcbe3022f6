"""Data sets in the format of PSG (Yang et al., ECCV 2022): `psg.json`, images and panoptic PNGs.

The keys of `psg.json`:
    thing_classes, stuff_classes: names; a category id counts through the things, then the stuff.
    predicate_classes: names.
    data: an entry for each image, see `Record`.
    test_image_ids: the images of the split "test".
    val_image_ids: those of the split "val"; may be left out. All others are the split "train".
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from dsflash_ros.data.panoptic_png import ids_of, labels_of
from dsflash_ros.data.psg_json import Annotations, read_annotations
from dsflash_ros.data.psg_writer import PsgWriter
from dsflash_ros.errors import DatasetError, ImageError
from dsflash_ros.files import expand
from dsflash_ros.graph.vocabulary import Vocabulary
from dsflash_ros.images.decoding import decode_image
from dsflash_ros.text_tables import counted

__all__ = ["PsgDataset", "PsgWriter", "Record"]


@dataclass(frozen=True, eq=False)
class Record:
    """An image of a data set, its segments and their relations.

    Attributes:
        image_id: unique in its data set.
        image_path, mask_path: the image and its panoptic PNG.
        height, width: pixels of both.
        segment_ids: (S,) int64, colours in the panoptic PNG, R + 256 G + 65536 B.
        class_ids: (S,) int64, ids of the data set's `Vocabulary` (things, then stuff).
        crowd: (S,) bool, whether the segment is a group that was not told apart.
        relations: (R, 3) int64: subject, object (indexes of segments), predicate (0-based). No
            self-relations, no duplicates; a directed pair may have several predicates.
        stamp: seconds, of an image of a recording; else None.
    """

    image_id: str
    image_path: Path
    mask_path: Path
    height: int
    width: int
    segment_ids: np.ndarray
    class_ids: np.ndarray
    crowd: np.ndarray
    relations: np.ndarray
    stamp: float | None = field(default=None, kw_only=True)

    def image(self) -> np.ndarray:
        """Read the image: (H, W, 3) uint8 RGB.

        Raises `DatasetError` when it cannot be read or is of another size.
        """
        return self._read(self.image_path)

    def labels(self) -> np.ndarray:
        """Read the panoptic PNG as a label map: (H, W) int32, the index of each pixel's segment.

        It is -1 where the PNG has 0 or an id that no segment has. Raises `DatasetError` when the
        PNG cannot be read, is of another size or lacks a segment.
        """
        labels, areas = labels_of(ids_of(self._read(self.mask_path)), self.segment_ids)
        if not areas.all():
            missing = self.segment_ids[areas == 0].tolist()
            raise DatasetError(
                f"{self.mask_path}: no pixel has the id of the segment {missing[0]} that the JSON "
                f"gives to image {self.image_id} ({len(missing)} of its {len(areas)} segments are "
                "missing): masks and JSON disagree"
            )
        return labels

    def _read(self, path: Path) -> np.ndarray:
        try:
            # Annotations refer to the stored pixels, whatever the EXIF tag says.
            rgb = decode_image(np.fromfile(path, np.uint8), apply_orientation=False)
        except (OSError, ImageError) as error:
            reason = error.strerror if isinstance(error, OSError) else error
            raise DatasetError(
                f"{path}, of image {self.image_id}, cannot be read: {reason}"
            ) from error
        if rgb.shape[:2] != (self.height, self.width):
            raise DatasetError(
                f"{path} has {rgb.shape[1]}x{rgb.shape[0]} pixels, but the JSON says that image "
                f"{self.image_id} has {self.width}x{self.height}"
            )
        return rgb


class PsgDataset(Sequence[Record]):
    """The records of one split, or of all. Made by `open`.

    Attributes:
        path: the JSON file.
        split: its name, or None for all images.
        image_root, mask_root: folders below which the JSON's paths lie.
    """

    def __init__(
        self,
        path: Path,
        split: str | None,
        annotations: Annotations,
        image_root: Path,
        mask_root: Path,
    ):
        self.path, self.split, self.image_root, self.mask_root = path, split, image_root, mask_root
        self._all = annotations

    @classmethod
    def open(
        cls,
        path: str | Path,
        split: str | None = None,
        images: str | Path | None = None,
        masks: str | Path | None = None,
        with_images: bool = True,
    ) -> "PsgDataset":
        """Read and check the annotations, and check that all images and masks are there.

        Args:
            path: `psg.json`, or a folder that holds one.
            split: "train", "val", "test", or None for all images. The data set says which there
                are; PSG itself has no "val".
            images, masks: folders below which the JSON's paths lie; by default the JSON's own
                folder, its `coco`, or the `coco` beside it, as OpenPSG lays it out.
            with_images: False where the images are elsewhere, as in a bag, and may be missing here.

        Raises:
            SplitError: the split has no images.
            DatasetError: something is missing or damaged, or the annotations contradict each other.
        """
        path = expand(path)
        path = path / "psg.json" if path.is_dir() else path
        found = read_annotations(path, split)
        names = found.images if with_images else []
        image_root = _root("images", names, _places(path, images))
        mask_root = _root("panoptic masks", found.masks, _places(path, masks))
        return cls(path, split, found, image_root, mask_root)

    @property
    def vocabulary(self) -> Vocabulary:
        """The classes and predicates."""
        return self._all.vocabulary

    @property
    def problems(self) -> dict[str, list[str]]:
        """What is wrong and harmless, by kind: an image id for each time that it occurs.

        "self-relations" and "duplicate relations" are left out of `Record.relations`; "images
        without relations" stay; "split ids without an image" are counted for all splits.
        """
        return self._all.problems

    def __len__(self) -> int:
        return len(self._all.image_ids)

    def __getitem__(self, index: int) -> Record:
        found = self._all
        index = range(len(self))[index]
        segment_ids, class_ids, crowd = found.segments[
            slice(*found.segment_offsets[index : index + 2])
        ].T.copy()
        height, width = found.sizes[index].tolist()
        return Record(
            image_id=found.image_ids[index],
            image_path=self.image_root / found.images[index],
            mask_path=self.mask_root / found.masks[index],
            height=height,
            width=width,
            segment_ids=segment_ids,
            class_ids=class_ids,
            crowd=crowd != 0,
            relations=found.relations[slice(*found.relation_offsets[index : index + 2])].copy(),
        )

    def report(self) -> str:
        """What is in the data set and what is wrong with it, in one line."""
        found = self._all
        counts = [counted(len(self), "image"), counted(len(found.segments), "segment")]
        counts.append(counted(len(found.relations), "relation"))
        part = f"split {self.split}" if self.split else "all images"
        what = f"{self.path}, {part}: {', '.join(counts)}"
        wrong = [
            f"{problem}: {len(where)} (the first: {where[0]})"
            for problem, where in self.problems.items()
        ]
        return "; ".join([what, *wrong])


def _places(path: Path, given: str | Path | None) -> list[Path]:
    """The folders below which files may lie."""
    if given is not None:
        return [expand(given)]
    return [path.parent, path.parent / "coco", path.parent.parent / "coco"]


def _root(kind: str, names: list[str], places: list[Path]) -> Path:
    """The place that has all the files. Raises `DatasetError` when there is none."""
    missing = [_missing(place, names) for place in places]
    best = min(range(len(places)), key=lambda number: len(missing[number]))
    if missing[best]:
        raise DatasetError(
            f"{len(missing[best])} of {len(names)} {kind} are missing, the first is "
            f"{missing[best][0]}; tried the folders {', '.join(map(str, places))}"
        )
    return places[best]


def _missing(place: Path, names: list[str]) -> list[str]:
    """The files that are not there. Each folder is listed once: it may hold 100 000 files."""
    there: dict[str, set[str]] = {}
    for folder in {os.path.dirname(name) for name in names}:
        try:
            there[folder] = set(os.listdir(place / folder))
        except OSError:
            there[folder] = set()
    return [name for name in names if os.path.basename(name) not in there[os.path.dirname(name)]]
