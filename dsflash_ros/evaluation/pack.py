"""Trained checkpoints made small, with what they reached inside."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch

from dsflash_ros.conversion.checkpoint_files import sha256_of
from dsflash_ros.errors import WeightsError
from dsflash_ros.evaluation.phrases import describe_dataset
from dsflash_ros.evaluation.report import Report
from dsflash_ros.model.checkpoints import save_checkpoint
from dsflash_ros.weights.loading import open_weights, require_file

_PANOPTIC = ("PQ", "PQ_things", "PQ_stuff")


def pack(source: str | Path, out: Path, reports: Sequence[Report] = ()) -> None:
    """Store a checkpoint in float16, each number rounded to the nearest.

    It is loaded as any other. Paths in the recipe lose their folders, which are nobody else's
    business.

    Args:
        source: what `open_weights` takes.
        out: the new file.
        reports: evaluations of the very file `source`, one for each protocol. Their means take the
            place of the header's scores.

    Raises `WeightsError` when it cannot be read, a report is of another file, or a number is beyond
    float16.
    """
    opened = open_weights(source)
    path = require_file(opened)
    header = replace(opened.header, recipe=_without_folders(opened.header.recipe))
    if reports:
        header = replace(header, scores=_scores(path, reports))
    model = opened.load().half()
    beyond = [
        name for name, tensor in model.state_dict().items() if not torch.isfinite(tensor).all()
    ]
    if beyond:
        raise WeightsError(
            f"{source} cannot be stored in half precision: {beyond[0]} has numbers beyond 65504"
        )
    save_checkpoint(out, model, header)


def _without_folders(recipe):
    """The same with only the last name of each path."""
    if isinstance(recipe, dict):
        return {key: _without_folders(value) for key, value in recipe.items()}
    if isinstance(recipe, str) and "/" in recipe:
        return Path(recipe).name
    return recipe


def _scores(path: Path, reports: Sequence[Report]) -> dict:
    """The means of each protocol."""
    scores, sha256 = {}, sha256_of(path)
    for report in reports:
        if report.weights.get("sha256") != sha256:
            raise WeightsError(
                f"the scores are those of other weights ({report.weights['name']}), not of {path}: "
                "make them anew with dsflash eval"
            )
        if report.protocol in scores:
            raise WeightsError(
                f"there are two results of {report.protocol}; give one for each protocol"
            )
        means = {key: value for key, value in report.relations.items() if "R@" in key}
        if report.panoptic:
            means |= {key: report.panoptic[key] for key in _PANOPTIC}
        scores[report.protocol] = {"dataset": describe_dataset(report.dataset), **means}
    return scores
