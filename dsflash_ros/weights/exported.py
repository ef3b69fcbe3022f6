"""Exported models: a folder with an ONNX file for each part, which says what it is.

Imports no torch. `export` makes them.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dsflash_ros.errors import WeightsError, first_line
from dsflash_ros.model.header import Header
from dsflash_ros.weights.onnx_metadata import read_onnx_metadata

EXPORT_FORMAT = "dsflash-onnx-1"

PHRASES_FILE = "phrases.npy"
"""The embeddings of the phrases that the header's language names, where it has one."""

PARTS = ("segmenter", "relations")
"""Each in a file PART.onnx. The graphs' inputs and outputs are in docs/export.md."""


@dataclass(frozen=True)
class ExportedModel:
    """What the files of an exported model say of themselves, all the same.

    Attributes:
        folder: where they lie.
        header: that of the checkpoint they were made from.
        source: the name of that checkpoint.
        sha256: of its file; of random weights, of the tensors.
        cell, grid, relater_options: see `RelationStage`.
        cells_of_patch: cells along one side of a patch that pruning leaves out; 0 for a relation
            stage without patches.
        parameters: how many numbers the model has learned.
        is_int8: the segmenter multiplies whole numbers of 8 bits.
    """

    folder: Path
    header: Header
    source: str
    sha256: str
    cell: int
    grid: int
    relater_options: frozenset[str]
    cells_of_patch: int
    parameters: int
    is_int8: bool = False

    @property
    def files(self) -> dict[str, Path]:
        """By part."""
        return {part: self.folder / f"{part}.onnx" for part in PARTS}

    def phrases(self) -> np.ndarray:
        """(n, D) float32, see `Language`. Raises `WeightsError` when they are missing."""
        config = self.header.config
        if not config.num_phrases:
            return np.zeros((0, config.phrase_dim), np.float32)
        path = self.folder / PHRASES_FILE
        try:
            found = np.load(path, allow_pickle=False).astype(np.float32)
            if found.shape != (config.num_phrases, config.phrase_dim):
                raise ValueError(f"its shape is {found.shape}")
        except (OSError, ValueError, EOFError) as error:
            raise WeightsError(
                f"{path} is missing or damaged ({first_line(error)}): export the model again"
            ) from error
        return found

    def to_metadata(self, part: str) -> dict[str, str]:
        """Texts by name, for the file of a part."""
        side = self.header.config.image_size
        preprocessing = {
            "images": f"uint8 RGB, (1, {side}, {side}, 3)",
            "resize": "bilinear with antialiasing, longer side to the full length",
            "padding": "zeros, below and to the right",
        }
        model = {
            "cell": self.cell,
            "grid": self.grid,
            "relater_options": sorted(self.relater_options),
            "cells_of_patch": self.cells_of_patch,
            "parameters": self.parameters,
            "is_int8": self.is_int8,
        }
        return {
            "format": EXPORT_FORMAT,
            "part": part,
            "source": self.source,
            "sha256": self.sha256,
            "model": json.dumps(model),
            "preprocessing": json.dumps(preprocessing),
            "labels": json.dumps(self.header.vocabulary.classes),
            **self.header.to_metadata(),
        }

    def describe(self) -> dict:
        """Plain values, in the order in which a person wants them."""
        return {
            "folder": str(self.folder),
            "layout": EXPORT_FORMAT,
            "source": self.source,
            **self.header.describe_model(),
            "parameters": self.parameters,
            "numbers": "segmenter in int8" if self.is_int8 else "float32",
            **self.header.describe_training(),
            "bytes": sum(path.stat().st_size for path in self.files.values()),
            "sha256": {self.source: self.sha256},
        }

    def check_outputs(self, shapes: Mapping[str, Sequence[Sequence]]) -> None:
        """Raise `WeightsError` unless the graphs' outputs have the sizes of the labels.

        `shapes`: by part, the shape of each output.
        """
        config = self.header.config
        for part, output, expected, what in (
            ("segmenter", 1, config.num_classes + 1, "classes"),
            ("relations", 0, config.num_predicates + 1, "predicates"),
        ):
            found = shapes[part][output][-1]
            if found != expected:
                raise WeightsError(
                    f"{self.files[part]} tells {found} {what} apart, but its labels are "
                    f"{expected} with 'none': they are of another model; export it again"
                )


def is_exported(path: Path) -> bool:
    """Whether it looks like an exported model: its folder, or one of its files."""
    if path.is_dir():
        return any((path / f"{part}.onnx").exists() for part in PARTS)
    return path.suffix == ".onnx"


def open_exported(path: Path) -> ExportedModel:
    """Read what an exported model says of itself; `path` is its folder or one of its files.

    Raises `WeightsError` when a file is missing, cut off, of another format, or of another model
    than the other one.
    """
    folder = path if path.is_dir() else path.parent
    segmenter, relations = (_read_part(folder / f"{part}.onnx", part) for part in PARTS)
    if segmenter | {"part": ""} != relations | {"part": ""}:
        raise WeightsError(
            f"segmenter.onnx and relations.onnx in {folder} were exported from different weights: "
            "keep the files of one export together"
        )
    header = Header.from_metadata(segmenter, folder)
    try:
        model = json.loads(segmenter["model"])
        return ExportedModel(
            folder,
            header,
            segmenter["source"],
            segmenter["sha256"],
            **{**model, "relater_options": frozenset(model["relater_options"])},
        )
    except (KeyError, ValueError, TypeError, RecursionError) as error:
        raise WeightsError(
            f"{folder}: the metadata is damaged ({type(error).__name__}: {error}); export it again"
        ) from error


def _read_part(path: Path, part: str) -> dict[str, str]:
    if not path.is_file():
        raise WeightsError(f"{path} is missing: an exported model has {' and '.join(PARTS)}.onnx")
    metadata = read_onnx_metadata(path)
    found = metadata.get("format", "")
    if not found.startswith("dsflash-onnx-"):
        raise WeightsError(
            f"{path} is no ONNX file that `dsflash export onnx` wrote, or is cut off (its metadata "
            "has no format)"
        )
    if found != EXPORT_FORMAT:
        raise WeightsError(
            f"{path} has the format {found}, but this dsflash_ros reads {EXPORT_FORMAT}: export "
            "the model again with this version"
        )
    if metadata.get("part") != part:
        raise WeightsError(f"{path} holds the part {metadata.get('part')!r}: rename the files back")
    return metadata
