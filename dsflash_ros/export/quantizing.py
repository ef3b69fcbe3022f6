"""Exported models whose segmenter multiplies whole numbers of 8 bits (int8)."""

import logging
import os
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from dsflash_ros.errors import ExportError, WeightsError, missing_extra
from dsflash_ros.export.folders import check_folder, whole_folder
from dsflash_ros.graph.scene_graph import unpack_panoptic
from dsflash_ros.images.letterbox import Letterbox, check_image
from dsflash_ros.pipeline.arrays import ARRAY_STEPS
from dsflash_ros.pipeline.pipeline import SceneGraphPipeline
from dsflash_ros.weights.exported import PHRASES_FILE, ExportedModel, open_exported
from dsflash_ros.weights.loading import OpenedWeights, open_weights

LEAST_IMAGES = 10
"""Of fewer images the range of a network's numbers cannot be told."""

COMPARED = 5
"""Every so-many-th image is kept from calibration, to compare on."""

LEAST_AGREEMENT = 0.9
"""A model that gives more pixels than the rest another class is not written."""


class Int8Agreement(NamedTuple):
    """How far a model in int8 says what it said in float32.

    Attributes:
        images: on how many it was seen; none of them was used for calibration.
        pixels: share of their pixels that have the same class (or none) in both.
    """

    images: int
    pixels: float


def export_int8(
    model: str | Path, images: Sequence[np.ndarray], folder: str | Path, overwrite: bool = False
) -> tuple[Path, Int8Agreement]:
    """Write an exported model again, with its segmenter in int8, and compare both.

    NNCF measures on the images in what ranges the segmenter's numbers lie, smooths them
    (SmoothQuant) and corrects the bias that rounding brings. The relation stage stays in float32.

    Args:
        model: the folder of an exported model.
        images: (H, W, 3) uint8 RGB each, of what the model will see; `LEAST_IMAGES` or more.
        folder: is made, or replaced with `overwrite`.

    Returns the folder, and how far both agree.

    Raises:
        WeightsError: it is no exported model, or one in int8 already.
        ImageError: an image cannot be one.
        ExportError: there are too few images, or both do not agree; nothing is written.
        OutputError: the folder cannot be written, or is there already.
        MissingExtraError: the `int8` extra is not installed.
    """
    folder = check_folder(folder, overwrite)
    exported = _float32_model(model)
    if len(images) < LEAST_IMAGES:
        raise ExportError(
            f"int8 needs {LEAST_IMAGES} images or more of what the model will see, to learn the "
            f"ranges of its numbers; got {len(images)}"
        )
    side = exported.header.config.image_size
    inputs = [_network_input(rgb, side) for rgb in images]
    calibration = [one for index, one in enumerate(inputs) if index % COMPARED]
    with whole_folder(folder) as partial:
        _write(exported, replace(exported, folder=partial, is_int8=True), calibration)
        agreement = _compare(exported, open_exported(partial), images[::COMPARED])
        if agreement.pixels < LEAST_AGREEMENT:
            raise ExportError(
                f"in int8 only {agreement.pixels:.0%} of the pixels get the class that they had "
                f"({LEAST_AGREEMENT:.0%} wanted): nothing was written; give more images, and such "
                "as the model will see"
            )
    return folder, agreement


def _float32_model(model: str | Path) -> ExportedModel:
    exported = open_weights(model).exported
    if exported is None:
        raise WeightsError(
            f"{model} is no exported model: write one with `dsflash export onnx {model} --out "
            "FOLDER`, and give FOLDER here"
        )
    if exported.is_int8:
        raise WeightsError(f"{model} is in int8 already: give the model that it was made from")
    return exported


def _network_input(rgb: np.ndarray, side: int) -> np.ndarray:
    """(1, side, side, 3) uint8."""
    box = Letterbox(*check_image(rgb).shape[:2], side)
    return ARRAY_STEPS.network_input([rgb], [box], "cpu")


def _write(exported: ExportedModel, target: ExportedModel, calibration: list[np.ndarray]) -> None:
    """Write all files of the target."""
    nncf, onnx = _libraries()
    segmenter = nncf.quantize(
        onnx.load(exported.files["segmenter"]),
        nncf.Dataset(calibration, lambda images: {"images": images}),
        model_type=nncf.ModelType.TRANSFORMER,
        subset_size=len(calibration),
    )
    graphs = {"segmenter": segmenter, "relations": onnx.load(exported.files["relations"])}
    for part, graph in graphs.items():
        del graph.metadata_props[:]
        onnx.helper.set_model_props(graph, target.to_metadata(part))
        onnx.save(graph, target.files[part])
    if exported.header.language:
        shutil.copy(exported.folder / PHRASES_FILE, target.folder)


def _libraries():
    """NNCF and onnx; NNCF sends nothing home, and does not talk."""
    os.environ.setdefault("NNCF_CI", "1")  # else it tells a server that it is used
    logging.getLogger("torch.utils.cpp_extension").setLevel(logging.ERROR)  # of missing CUDA
    try:
        import nncf
        import onnx
    except ImportError as error:
        raise missing_extra("int8", error) from error
    # not nncf.set_log_level: it silences handlers, also those that other loggers share
    logging.getLogger("nncf").setLevel(logging.ERROR)
    return nncf, onnx


def _compare(
    before: ExportedModel, after: ExportedModel, images: Sequence[np.ndarray]
) -> Int8Agreement:
    pipelines = [
        SceneGraphPipeline.from_weights(OpenedWeights(str(m.folder), m.header, exported=m))
        for m in (before, after)
    ]
    same = total = 0
    for rgb in images:
        one, other = (unpack_panoptic(pipeline(rgb).panoptic)[0] for pipeline in pipelines)
        same, total = same + np.count_nonzero(one == other), total + one.size
    return Int8Agreement(len(images), same / total)
