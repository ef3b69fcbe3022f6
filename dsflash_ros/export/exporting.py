"""Exporting weights: written, checked against PyTorch, and only then put in place."""

from pathlib import Path

import numpy as np

from dsflash_ros.errors import ExportError
from dsflash_ros.export.comparison import Closeness, compare_with_torch
from dsflash_ros.export.folders import check_folder, whole_folder
from dsflash_ros.export.onnx_export import write_onnx
from dsflash_ros.files import replacing
from dsflash_ros.pipeline.backends.choosing import make_backend
from dsflash_ros.weights.exported import PHRASES_FILE, open_exported
from dsflash_ros.weights.loading import OpenedWeights, not_a_checkpoint, open_weights


def export_onnx(
    weights: str | Path, folder: str | Path, overwrite: bool = False, scenes: int = 5
) -> tuple[Path, Closeness]:
    """Write weights as ONNX files, and run these once on random scenes beside PyTorch.

    Args:
        weights: see `open_weights`.
        folder: is made, or replaced with `overwrite`.
        scenes: random ones to compare on.

    Returns the folder, and how close the exported model computes.

    Raises:
        WeightsError: the weights cannot be had, or have no form in ONNX.
        ExportError: the exported model computes something else; nothing is written.
        OutputError: the folder cannot be written, or is there already.
        MissingExtraError: the `export` extra is not installed.
    """
    folder = check_folder(folder, overwrite)
    opened = open_weights(weights)
    if opened.exported:
        raise not_a_checkpoint(opened)
    model = opened.load()
    with whole_folder(folder) as partial:
        write_onnx(opened, model, partial)
        if opened.header.language:
            with replacing(partial / PHRASES_FILE) as file, file.open("wb") as stream:
                np.save(stream, opened.phrases().astype(np.float16))
        written = open_exported(partial)
        exported = OpenedWeights(str(partial), written.header, exported=written)
        closeness = compare_with_torch(model, make_backend("onnx", exported, device="cpu"), scenes)
        if not closeness.is_close(model.segmenter.rounding):
            raise ExportError(
                f"the exported model differs too much from PyTorch, as shares of the outputs' "
                f"spread ({closeness}): nothing was written"
            )
    return folder, closeness
