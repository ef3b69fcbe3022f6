"""Checkpoints whose relations' scores say how often they are true."""

from dataclasses import asdict, replace
from pathlib import Path
from typing import NamedTuple

from dsflash_ros.data.psg import PsgDataset
from dsflash_ros.errors import EvaluationError
from dsflash_ros.evaluation.calibration import Calibration
from dsflash_ros.evaluation.phrases import describe_dataset
from dsflash_ros.evaluation.report import about_dataset
from dsflash_ros.evaluation.runner import evaluate
from dsflash_ros.model.checkpoints import save_checkpoint
from dsflash_ros.pipeline.options import Options
from dsflash_ros.pipeline.pipeline import SceneGraphPipeline
from dsflash_ros.weights.loading import open_weights, require_file


class Calibrated(NamedTuple):
    """What was found: the map of the scores, and the calibration error that it was fitted to,
    before and after.
    """

    calibration: Calibration
    before: float | None
    after: float | None


def calibrate(
    source: str | Path,
    dataset: PsgDataset,
    out: Path,
    limit: int | None = None,
    device: str = "auto",
) -> Calibrated:
    """Store a checkpoint that scores a relation by how often such a one is true in the data set's
    graphs (SGDet).

    The order of relations, so their recall, stays. `dataset` holds images that no training saw,
    `limit` uses the first ones only. What it did goes into the header's recipe.

    Raises:
        WeightsError: the checkpoint cannot be read.
        EvaluationError: it has no trained relation stage or another vocabulary, or scores tell
            nothing.
        DatasetError, DeviceError, OutputError: as their names say.
    """
    options = Options(relation_threshold=0.0, max_relations=0xFFFF)
    opened = open_weights(source)
    require_file(opened)
    pipeline = SceneGraphPipeline.from_weights(
        opened, device=device, precision="float32", options=options
    )
    if not pipeline.relates:
        raise EvaluationError(
            f"{source} has no trained relation stage, which is what is calibrated"
        )
    reliability = evaluate(pipeline, dataset, "sgdet", limit).reliability
    calibration = reliability.fit()
    model, header = opened.load(), opened.header
    model.relations.rescale(calibration.slope, calibration.intercept)
    about = describe_dataset(about_dataset(dataset, min(limit or len(dataset), len(dataset))))
    recipe = {**header.recipe, "calibration": {"dataset": about, **asdict(calibration)}}
    save_checkpoint(out, model, replace(header, recipe=recipe))
    return Calibrated(
        calibration, reliability.calibration_error(), reliability.calibration_error(calibration)
    )
