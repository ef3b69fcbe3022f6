"""A report as text: tables of its scores."""

from collections.abc import Mapping

from dsflash_ros.evaluation.phrases import (
    describe_dataset,
    describe_machine,
    describe_speed,
    describe_weights,
    percent,
)
from dsflash_ros.evaluation.report import Report
from dsflash_ros.evaluation.tracking_text import tracking_text
from dsflash_ros.pipeline.asking import NAMES
from dsflash_ros.text_tables import Row, counted, table


def report_text(report: Report) -> str:
    """The scores, classes and predicates by how often they occur; several lines."""
    parts = [_head(report), _recall(report)]
    if report.panoptic:
        parts += [_quality(report.panoptic), _classes(report.panoptic)]
    parts += [_predicates(report.relations), _thresholds(report.relations)]
    if report.latency_ms:
        parts.append(_latency(report.latency_ms))
    if report.tracking:
        parts.append("\n" + tracking_text(report.tracking))
    if report.speed:
        parts.append(f"\n{describe_speed(report.speed)}")
    return "\n".join(part for part in parts if part)


def _head(report: Report) -> str:
    """What was evaluated, and on what machine."""
    names = {name: report.options[name] for name in NAMES if name in report.options}
    model, without = report.model, report.relations["images_without_relations"]
    return "\n".join(
        [
            f"data set: {describe_dataset(report.dataset)}; {without} without relations",
            f"weights: {describe_weights(report.weights)}; "
            f"{model['size']} {model['backbone']} at {model['image_size']}",
            f"machine: {describe_machine(report.machine, report.options)}",
            *(f"{name}: {', '.join(asked)}" for name, asked in names.items()),
        ]
    )


def _recall(report: Report) -> str:
    """Recall of relations by k, and that of instances."""
    relations = report.relations
    ks = [key.removeprefix("mR@") for key in relations if key.startswith("mR@")]
    rows = [
        {"": name, **{f"@{k}": percent(relations.get(f"{name}@{k}")) for k in ks}}
        for name in ("R", "mR")
    ]
    given = " (the segments are given)" if report.protocol == "predcls" else ""
    instances = f"\ninstance recall {percent(relations['instance_recall'])} %{given}"
    return "\n".join([table(f"{report.protocol}: recall of relations, %", rows), instances])


def _quality(panoptic: dict) -> str:
    """Panoptic quality of all classes, things, and stuff."""
    groups = {"all": "", "things": "_things", "stuff": "_stuff"}
    rows = [
        {"": name, **{group: percent(panoptic[name + end]) for group, end in groups.items()}}
        for name in ("PQ", "SQ", "RQ")
    ]
    return table("panoptic quality, %", rows)


def _classes(panoptic: dict) -> str:
    """Panoptic quality by class; empty where no class occurs."""
    found = sorted(panoptic["per_class"].items(), key=lambda item: -item[1]["segments"])
    rows = []
    for name, scores in found:
        row: Row = {"class": name, "segments": scores["segments"]}
        rows.append(row | {key: percent(scores[key]) for key in scores if key != "segments"})
    return table("classes, %", rows) if rows else ""


def _latency(latency_ms: dict) -> str:
    """How long each stage took for an image."""
    rows = [
        {"stage": stage, **{name: f"{ms:.1f}" for name, ms in times.items()}}
        for stage, times in latency_ms.items()
    ]
    return table("latency of an image, ms", rows)


def _predicates(relations: dict) -> str:
    """Recall by predicate; how many never occur."""
    all_predicates = relations["per_predicate"]
    found = [item for item in all_predicates.items() if item[1]["relations"]]
    rows = []
    for name, scores in sorted(found, key=lambda item: -item[1]["relations"]):
        row: Row = {"predicate": name}
        for key, value in scores.items():
            row[key] = percent(value) if key.startswith("R@") else value
        rows.append(row)
    parts = [table("predicates, recall in %", rows)] if rows else []
    never = len(all_predicates) - len(found)
    if never:
        verbs = "occurs and is" if never == 1 else "occur and are"
        parts.append(f"\n{counted(never, 'predicate')} never {verbs} left out of the mean")
    return "\n".join(parts)


def _thresholds(relations: dict) -> str:
    """Precision and recall by threshold of the score; empty for weights that do not relate."""
    rows = [
        {
            "relation_threshold": threshold,
            "relations an image": f"{kept['relations']:.1f}",
            "precision": percent(kept["precision"]),
            "recall": percent(kept["recall"]),
        }
        for threshold, kept in relations.get("thresholds", {}).items()
    ]
    if not rows:
        return ""
    error = percent(relations["calibration_error"])
    return "\n".join(
        [
            table("relations by their score, %", rows),
            f"\ncalibration error {error} %: how far mean scores are from the share that is true",
        ]
    )


def bags_text(reports: Mapping[str, Report], merged: Report) -> str:
    """The scores of bags, a row each, and those of all of them together."""
    rows = [_bag_row(name, report) for name, report in reports.items()]
    return table("bags, scores in %", [*rows, _bag_row("all", merged)])


def _bag_row(name: str, report: Report) -> Row:
    row: Row = {"bag": name, "images": report.dataset["images"]}
    row |= {key: percent(report.relations.get(key)) for key in ("R@50", "mR@50")}
    if report.protocol == "sgdet":
        row["PQ"] = percent((report.panoptic or {}).get("PQ"))
        row |= {key: percent((report.tracking or {}).get(key)) for key in ("HOTA", "IDF1")}
    return row
