"""Write predictions to a file that sgbench reads, so that others can evaluate them."""

import json
import logging
import warnings
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

import numpy as np

from dsflash_ros.errors import missing_extra
from dsflash_ros.files import expand, replacing
from dsflash_ros.graph.label_maps import label_boxes

_log = logging.getLogger(__name__)

FILE_VERSION = 1
"""Of sgbench's format."""


class SgbenchFile:
    """A zip of `triplets.json` and one layered TIFF of masks for each image.

    Made by `sgbench_file`.
    """

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive
        self._images: list[dict] = []
        self._error: OSError | None = None

    def add(
        self, image_id: str, labels: np.ndarray, class_ids: np.ndarray, relations: np.ndarray
    ) -> None:
        """Add an image: label map (H, W) int, classes (P,) int, relations (r, 3) int, best first.

        When it cannot be written this only warns, and `finish` raises, so that the evaluation goes
        on.
        """
        if self._error:
            return
        name = f"{len(self._images):06d}.tiff"
        boxes = label_boxes(labels, len(class_ids)).tolist()
        try:
            self._archive.writestr(name, _layered_tiff(labels, len(class_ids)))
        except OSError as error:
            self._error = error
            _log.warning(
                "the export fails (%s); the evaluation goes on without it", error.strerror or error
            )
            return
        self._images.append(
            {
                "id": image_id,
                "seg_filename": name,
                "annotation": [
                    {"category": int(category), "bbox": box}
                    for category, box in zip(class_ids, boxes, strict=True)
                ],
                "triplets": np.asarray(relations).tolist(),
            }
        )

    def finish(self, about: dict) -> None:
        """Write the index; `about` is kept under `eval`, which sgbench ignores.

        Raises the `OSError` that an `add` met.
        """
        if self._error:
            raise self._error
        index = {"version": FILE_VERSION, "images": self._images, "eval": about}
        self._archive.writestr("triplets.json", json.dumps(index), zipfile.ZIP_DEFLATED)


@contextmanager
def sgbench_file(path: str | Path, about: dict) -> Iterator[SgbenchFile]:
    """Give a file to `add` images to, which appears when the block ends without an error.

    Raises `OutputError` when it cannot be written, `MissingExtraError` where tifffile is not
    installed.
    """
    try:
        import tifffile  # noqa: F401
    except ImportError as error:
        raise missing_extra("eval", error) from error
    with replacing(expand(path)) as partial, zipfile.ZipFile(partial, "w") as archive:
        file = SgbenchFile(archive)
        yield file
        file.finish(about)


def _layered_tiff(labels: np.ndarray, count: int) -> bytes:
    """The masks of segments 0..count - 1, (count, H, W) of 0 and 1."""
    import tifffile

    masks = (labels == np.arange(count)[:, None, None]).astype(np.uint8)
    data = BytesIO()
    with warnings.catch_warnings():
        # No segment at all: sgbench reads that, while it would not score an image that is left out.
        warnings.filterwarnings("ignore", ".*writing zero-size array", UserWarning)
        # Without `minisblack`, three masks would be taken for the channels of a colour image.
        tifffile.imwrite(
            data, masks, compression=tifffile.COMPRESSION.DEFLATE, photometric="minisblack"
        )
    return data.getvalue()
