"""Exported models for tests: tiny ones, made once for a run of the tests."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Exported:
    """A checkpoint, and the folder that it was exported to."""

    checkpoint: Path
    folder: Path


def export_shapes(folder: Path) -> Exported:
    """DSFlash, with its patches, of the tiny model that speaks of shapes."""
    from shapes_weights import write_weights

    write_weights(folder)
    return _export(folder / "whole.safetensors", folder / "exported")


def export_objects(folder: Path) -> Exported:
    """The relation stage `objects` with all its parts, behind a segmenter that sees stripes."""
    from dsflash_ros.model.relaters.objects import PARTS

    return _export_behind_stripes(folder, "objects", {"parts": list(PARTS)})


def export_rgt(folder: Path) -> Exported:
    """The relation stage `rgt` with all its parts, behind a segmenter that sees stripes."""
    return _export_behind_stripes(folder, "rgt", {})


def _export_behind_stripes(folder: Path, relater: str, settings: dict) -> Exported:
    import toy_registration  # noqa: F401

    from dsflash_ros.data.shapes import VOCABULARY
    from dsflash_ros.model.checkpoints import save_checkpoint
    from dsflash_ros.model.config import ModelConfig
    from dsflash_ros.model.header import Header
    from dsflash_ros.model.random_weights import random_model

    config = ModelConfig.for_vocabulary(
        VOCABULARY,
        image_size=208,
        neck_dim=32,
        neck_depth=1,
        neck_heads=2,
        segmenter="stripes",
        relater=relater,
        segmenter_settings={"stripes": 6},
        relater_settings={**settings, "dim": 32, "depth": 1, "heads": 2, "pair_dim": 16},
    )
    header = Header(config, VOCABULARY)
    checkpoint = folder / f"{relater}.safetensors"
    save_checkpoint(checkpoint, random_model(header), header)
    return _export(checkpoint, folder / "exported")


def _export(checkpoint: Path, folder: Path) -> Exported:
    from dsflash_ros.export.exporting import export_onnx

    export_onnx(checkpoint, folder, scenes=2)
    return Exported(checkpoint, folder)
