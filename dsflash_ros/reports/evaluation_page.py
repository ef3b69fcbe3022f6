"""The page of `dsflash eval --report`."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path

import numpy as np

from dsflash_ros.evaluation.phrases import (
    describe_dataset,
    describe_machine,
    describe_speed,
    describe_weights,
)
from dsflash_ros.evaluation.report import Report
from dsflash_ros.reports import plots
from dsflash_ros.reports.evaluation_details import KS, TOLD_FROM, EvaluationDetails, ImageDetail
from dsflash_ros.reports.page import write_page
from dsflash_ros.reports.thumbnails import data_uri


def write_evaluation(path: Path, report: Report, details: EvaluationDetails) -> None:
    """Write an evaluation as a page.

    Args:
        path: of the HTML file.
        report: the scores.
        details: what observed the same evaluation.

    Raises:
        OutputError: the file cannot be written.
        MissingExtraError: jinja2 or plotly is not installed.
    """
    predicates = report.relations["per_predicate"]
    occurring = {name: scores for name, scores in predicates.items() if scores["relations"]}
    classes = (report.panoptic or {}).get("per_class", {})
    latencies = [image.latency_ms for image in details.images]
    write_page(
        path,
        "evaluation.html",
        _plots(report, details, latencies),
        report=asdict(report),
        about=_about(report),
        ks=KS,
        recall_keys=[*(f"R@{k}" for k in KS), "R@inf"],
        predicates=sorted(occurring.items(), key=lambda item: -item[1]["relations"]),
        never=[name for name in predicates if name not in occurring],
        classes=sorted(classes.items(), key=lambda item: -item[1]["segments"]),
        frames=_frames(details),
        worst=[{**asdict(details.images[image.number]), **vars(image)} for image in details.worst],
        told_from=TOLD_FROM,
        latency=_latency(latencies),
        tracking=list(_tracking_tables(report.tracking)) if report.tracking else None,
        settings=[*report.options.items(), *report.machine.items()],
    )


def _about(report: Report) -> list[str]:
    """What was evaluated, in phrases."""
    phrases = [
        describe_dataset(report.dataset),
        f"protocol {report.protocol}",
        describe_weights(report.weights),
        f"{report.model['size']} {report.model['backbone']} at {report.model['image_size']}",
        describe_machine(report.machine, report.options),
    ]
    return [*phrases, describe_speed(report.speed)] if report.speed else phrases


def _plots(report: Report, details: EvaluationDetails, latencies: list) -> dict[str, dict]:
    relations, images = report.relations, details.images
    colours = [image.quality for image in images]
    lines = {_quality_name(details): colours}
    if details.relates:
        lines[f"F1 of relations told from {TOLD_FROM}"] = [image.f1 for image in images]
    recalls = {
        kind: [relations.get(f"{kind}@{k}") for k in (*KS, "inf")]
        for kind, _ in (("R", "images"), ("mR", "predicates"))
    }
    found = {
        "timeline-plot": plots.timeline(
            [image.name for image in images],
            lines,
            colours,
            (0, 1),
            sorted(image.number for image in details.worst),
        ),
        "recall-plot": plots.bars([*map(str, KS), "inf"], recalls, "recall"),
    }
    if relations.get("score_bins"):
        found["calibration-plot"] = plots.calibration({"relations": relations["score_bins"]})
    if any(ms is not None for ms in latencies):
        found["latency-plot"] = plots.histogram({"latency": latencies})
    return found


def _quality_name(details: EvaluationDetails) -> str:
    return "R@50" if details.relates else "segments found"


def _frames(details: EvaluationDetails) -> dict:
    """What the page's script shows of each image."""
    rows = {**{f"R@{k}": "percent" for k in KS}, f"F1 (told from {TOLD_FROM})": "percent"}
    rows |= dict.fromkeys(("true relations", "told", "told and true"), "count")
    rows |= {"segments found": "percent", "true segments": "count", "latency": "ms"}
    begin = details.worst[0].number if details.worst else 0
    names = list(rows)
    return {
        "names": [image.name for image in details.images],
        "rows": [{"label": label, "format": format} for label, format in rows.items()],
        "sides": [""],
        "values": [_numbers(image) for image in details.images],
        "captions": ["predicted", "true"],
        "pictures": {
            str(image.number): [data_uri(image.predicted_jpeg), data_uri(image.true_jpeg)]
            for image in details.worst
        },
        "notes": {
            str(image.number): [
                ("true, but not told", image.missed),
                ("told, but not true", image.wrong),
            ]
            for image in details.worst
        },
        "without": "No image has a picture, as none has anything to find.",
        "about": f"The {len(details.worst)} worst images have pictures.",
        "begin": begin,
        "coloured": names.index(_quality_name(details)),
    }


def _numbers(image: ImageDetail) -> list:
    return [
        *(image.recalls[k] for k in KS),
        image.f1,
        image.true,
        image.told,
        image.right,
        image.found / image.segments if image.segments else None,
        image.segments,
        image.latency_ms,
    ]


def _latency(latencies: list[float | None]) -> dict | None:
    known = [ms for ms in latencies if ms is not None]
    if not known:
        return None
    return {"median": float(np.median(known)), "high": float(np.percentile(known, 90))}


def _tracking_tables(scores: Mapping) -> Iterator[tuple[str, list[str], list]]:
    """Title, heads and rows of tables; a row has a name and (path in the JSON, value) pairs.

    Numbers come into one table. Dicts of the same keys, as `raw` and `tracked` are, stand beside
    each other in another.
    """
    flat = {name: dict(_flat(one)) for name, one in scores.items() if isinstance(one, Mapping)}
    single = [
        (name, [(["tracking", name], one)]) for name, one in scores.items() if name not in flat
    ]
    yield "over all frames", [""], single
    groups: dict[tuple, list[str]] = {}
    for name, values in flat.items():
        groups.setdefault(tuple(values), []).append(name)
    for paths, names in groups.items():
        rows = [
            (": ".join(path), [(["tracking", name, *path], flat[name][path]) for name in names])
            for path in paths
        ]
        yield "", names, rows


def _flat(scores: Mapping, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], object]]:
    for name, value in scores.items():
        if isinstance(value, Mapping):
            yield from _flat(value, (*path, name))
        else:
            yield (*path, name), value
