"""Trained checkpoints made small, with what they reached inside."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch

from dsflash_ros.conversion.checkpoint_files import sha256_of
from dsflash_ros.errors import WeightsError
from dsflash_ros.evaluation.report import Report, describe_dataset
from dsflash_ros.model.checkpoints import load_checkpoint, save_checkpoint

_PANOPTIC = ("PQ", "PQ_things", "PQ_stuff")


def pack(source: Path, out: Path, reports: Sequence[Report] = ()) -> None:
    """Store a checkpoint in float16, each number rounded to the nearest; `load_checkpoint` reads it
    as any other.

    `reports`, evaluations of the very file `source`, one for each protocol, take the place of the
    header's scores. Paths in the recipe lose their folders, which are nobody else's business.
    Raises `WeightsError` when it cannot be read, a report is of another file, or a number is beyond
    float16.
    """
    model, header = load_checkpoint(source)
    header = replace(header, recipe=_without_folders(header.recipe))
    if reports:
        header = replace(header, scores=_scores(source, reports))
    model.half()
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
    return Path(recipe).name if isinstance(recipe, str) and "/" in recipe else recipe


def _scores(source: Path, reports: Sequence[Report]) -> dict:
    """The means of each protocol."""
    scores, sha256 = {}, sha256_of(source)
    for report in reports:
        if report.weights.get("sha256") != sha256:
            raise WeightsError(
                f"the scores are those of other weights ({report.weights['name']}), not of {source}: "
                "make them anew with dsflash eval"
            )
        if report.protocol in scores:
            raise WeightsError(
                f"there are two results of {report.protocol}; give one for each protocol"
            )
        means = {key: value for key, value in report.relations.items() if "R@" in key}
        means |= {key: report.panoptic[key] for key in _PANOPTIC if report.panoptic}
        scores[report.protocol] = {"dataset": describe_dataset(report.dataset), **means}
    return scores
