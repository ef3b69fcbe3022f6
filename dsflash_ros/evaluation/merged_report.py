"""The evaluations of several bags as one of all their images."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from statistics import mean

from dsflash_ros.errors import EvaluationError
from dsflash_ros.evaluation.calibration import merged_reliability
from dsflash_ros.evaluation.image_scores import ImageScores
from dsflash_ros.evaluation.metrics import RecallMetrics
from dsflash_ros.evaluation.panoptic_quality import PanopticQuality
from dsflash_ros.evaluation.report import Report
from dsflash_ros.evaluation.runner import forget_recall
from dsflash_ros.graph.vocabulary import Vocabulary
from dsflash_ros.text_tables import counted


def merge_reports(reports: Mapping[str, Report], vocabulary: Vocabulary) -> Report:
    """One report of all images, with the scores that evaluating them together would give.

    Scores of tracks are means over the bags. Latencies are left to the reports of the bags.

    Args:
        reports: of the bags by name, with the same settings; at least one. The name comes before
            the ids of the images: `front/12.5`.
        vocabulary: of all.

    Raises `EvaluationError` when they are of other weights.
    """
    first = next(iter(reports.values()))
    for name, report in reports.items():
        if report.weights["sha256"] != first.weights["sha256"]:
            raise EvaluationError(
                f"the weights are not those with which {name} was evaluated, though their name is: "
                "give another --out, or --overwrite to evaluate all bags anew"
            )
    images = [
        ImageScores(**{**image, "image": f"{name}/{image['image']}"})
        for name, report in reports.items()
        for image in report.images or ()
    ]
    relations, panoptic = _scores(list(reports.values()), images, vocabulary)
    return replace(
        first,
        dataset=_dataset(reports),
        relations=relations,
        panoptic=panoptic,
        images=[image._asdict() for image in images],
        latency_ms=None,
        tracking=mean_scores([r.tracking for r in reports.values() if r.tracking]),
        settings=None,
    )


def _scores(
    reports: Sequence[Report], images: Sequence[ImageScores], vocabulary: Vocabulary
) -> tuple[dict, dict | None]:
    """`Report.relations` and `panoptic`."""
    recall, quality = RecallMetrics(vocabulary.predicates), PanopticQuality(vocabulary)
    for image in images:
        recall.count(image.recall_counts(vocabulary))
        quality.count(image.quality_counts(vocabulary))
    relations = recall.results()
    if "score_bins" in reports[0].relations:
        relations |= merged_reliability([report.relations for report in reports])
    else:
        forget_recall(relations)
    return relations, quality.results() if reports[0].protocol == "sgdet" else None


def _dataset(reports: Mapping[str, Report]) -> dict:
    parts = [report.dataset for report in reports.values()]
    problems: dict[str, int] = {}
    for part in parts:
        for problem, count in part["problems"].items():
            problems[problem] = problems.get(problem, 0) + count
    return {
        **parts[0],
        "name": counted(len(reports), "bag"),
        "images": sum(part["images"] for part in parts),
        "of": sum(part["of"] for part in parts),
        "problems": problems,
    }


def mean_scores(scores: Sequence[dict]) -> dict | None:
    """The mean of each number, those that are None left out; of `frames` the sum. None of none."""
    if not scores:
        return None
    found = {}
    for key in scores[0]:
        known = [score[key] for score in scores if score[key] is not None]
        if not known:
            found[key] = None
        elif isinstance(known[0], dict):
            found[key] = mean_scores(known)
        else:
            found[key] = sum(known) if key == "frames" else mean(known)
    return found
