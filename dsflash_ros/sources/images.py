"""Image files."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from dsflash_ros.errors import ImageError, SourceError
from dsflash_ros.images.decoding import decode_image
from dsflash_ros.sources.source import Frame, Source

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff")


class ImageSource(Source):
    """Image files in the order given, turned as their EXIF tags say."""

    is_sequence = False

    def __init__(self, name: str, paths: Sequence[Path]):
        super().__init__(name, length=len(paths))
        self._paths = paths

    def _frames(self) -> Iterator[Frame]:
        found = 0
        for number, path in enumerate(self._paths):
            try:
                rgb = decode_image(np.fromfile(path, np.uint8))
            except (OSError, ImageError) as error:
                reason = error.strerror if isinstance(error, OSError) else error
                if len(self._paths) == 1:
                    raise SourceError(f"{path}: {reason}") from error
                self.skip(f"{path}: {reason}")
                continue
            found += 1
            yield Frame(rgb, float(number), str(path))
        if not found:
            raise SourceError(f"none of the {len(self._paths)} images of {self.name} can be read")


def images_in(folder: Path) -> list[Path]:
    """The image files in a folder, not below it; `2.jpg` before `10.jpg`.

    Raises `SourceError` when there are none.
    """
    try:
        files = [
            path
            for path in folder.iterdir()
            if path.suffix.lower() in IMAGE_SUFFIXES and path.name[0] != "."
        ]
    except OSError as error:
        raise SourceError(f"cannot read the folder {folder}: {error.strerror}") from error
    if not files:
        kinds = ", ".join(suffix[1:] for suffix in IMAGE_SUFFIXES)
        raise SourceError(
            f"the folder {folder} has no images ({kinds}) and is no bag (it has no metadata.yaml)"
        )
    return sorted(files, key=_natural)


def _natural(path: Path) -> list:
    """A key to sort by: numbers within names count as numbers."""
    parts = re.split(r"(\d+)", path.name.lower())
    return [int(part) if part.isdecimal() else part for part in parts]
