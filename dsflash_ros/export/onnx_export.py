"""Writing a model as ONNX files."""

import logging
import warnings
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import nn

from dsflash_ros.conversion.checkpoint_files import sha256_of
from dsflash_ros.errors import OutputError, WeightsError, first_line, missing_extra
from dsflash_ros.export.graphs import (
    SEGMENTER_OUTPUTS,
    RelationGraph,
    SegmenterGraph,
    cells_of_patch,
    dynamic_axes,
    example_relation_inputs,
)
from dsflash_ros.model.assembly import DSFlash
from dsflash_ros.model.checkpoints import digest_of
from dsflash_ros.weights.exported import ExportedModel
from dsflash_ros.weights.loading import OpenedWeights

OPSET = 18
"""Of ONNX: the last one that TensorRT 8, which JetPack 5 has, reads most of."""


def write_onnx(opened: OpenedWeights, model: DSFlash, folder: Path) -> ExportedModel:
    """Write both parts of a model into a folder that is there.

    Args:
        opened: the weights.
        model: theirs, in eval mode, float32, on the CPU.

    Raises:
        WeightsError: a part of the model has no ONNX form.
        MissingExtraError: the `export` extra is not installed.
        OutputError: the files cannot be written.
    """
    exported = ExportedModel(
        folder,
        opened.header,
        opened.title,
        sha256_of(opened.path) if opened.path else digest_of(model),
        model.relations.cell,
        model.relations.grid,
        model.relations.options & {"pruning"},
        cells_of_patch(model.relations),
        sum(parameter.numel() for parameter in model.parameters()),
    )
    side = model.config.image_size
    images = {"images": torch.zeros(1, side, side, 3, dtype=torch.uint8)}
    with torch.inference_mode():
        features = SegmenterGraph(model)(**images)[-1]
    inputs = example_relation_inputs(model, features.clone())
    axes = dynamic_axes(list(inputs))
    _write(exported, "segmenter", SegmenterGraph(model), images, {}, SEGMENTER_OUTPUTS)
    _write(exported, "relations", RelationGraph(model), inputs, axes, ("logits",))
    return exported


def _write(
    exported: ExportedModel,
    part: str,
    graph: nn.Module,
    inputs: dict[str, torch.Tensor],
    axes: dict[str, dict[int, str]],
    outputs: tuple[str, ...],
) -> None:
    """Write one file. `axes` are those of any length, by input."""
    try:
        import onnxscript  # noqa: F401, torch.onnx needs it
    except ImportError as error:
        raise missing_extra("export", error) from error
    names = {name for of_input in axes.values() for name in of_input.values()}
    dims = {name: torch.export.Dim(name) for name in names}
    shapes = {
        name: {axis: dims[dim] for axis, dim in of_input.items()} for name, of_input in axes.items()
    }
    try:
        with torch.no_grad(), _quiet():
            program = torch.onnx.export(
                graph.eval(),
                kwargs=inputs,
                input_names=list(inputs),
                output_names=list(outputs),
                dynamic_shapes=shapes or None,
                opset_version=OPSET,
                dynamo=True,
                verbose=False,
            )
    except torch.onnx.errors.OnnxExporterError as error:
        raise WeightsError(f"the {part} has no form in ONNX: {first_line(error)}") from error
    program.model.metadata_props.update(exported.to_metadata(part))
    program.model.producer_name = "dsflash_ros"
    try:
        program.save(exported.files[part], external_data=False)
    except OSError as error:
        reason = error.strerror or error
        raise OutputError(f"cannot write {exported.files[part]}: {reason}") from error


@contextmanager
def _quiet():
    """Without what the exporter says about its own inner life."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "onnxscript", "onnx_ir")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
