"""The DSFlash paper's tables, with what was measured here beside what the paper prints."""

import json
from collections.abc import Iterator
from dataclasses import asdict
from functools import cache
from importlib import resources

from dsflash_ros.evaluation.report import (
    Report,
    describe_dataset,
    describe_machine,
    describe_speed,
    describe_weights,
    number,
    percent,
)
from dsflash_ros.model.checkpoints import STAGES
from dsflash_ros.pipeline.options import Options
from dsflash_ros.text_tables import show

PSG_TEST_IMAGES = 2177
"""Images of PSG's test split that have relations (nine more have none)."""

_LEGEND = f"[n!] not the {PSG_TEST_IMAGES} test images of PSG that the paper evaluates: not comparable with its numbers"


@cache
def published() -> dict:
    """The paper's tables: `tables` of `name`, `title`, `columns` (`title`, `metric`, and `protocol`
    where it is not sgdet) and `rows` (`name`, `published`: as printed, one for each column, and for
    DSFlash's own `ours`: its options).
    """
    return json.loads(
        resources.files("dsflash_ros").joinpath("resources/published.json").read_text()
    )


def print_tables(reports: dict[str, Report]) -> None:
    """Print all tables. A result, by the name of its file, stands in each row whose model and
    options are its own.

    It must have PSG's vocabulary. Scores of untrained weights are left out; their speed is not,
    unless nothing was related. Where several results fit, the first one stands.
    """
    marks = {
        name: f"[{n}{'' if _is_psg_test(report) else '!'}]"
        for n, (name, report) in enumerate(reports.items(), 1)
    }
    used: set[str] = set()
    print(published()["source"])
    for table in published()["tables"]:
        show(
            f"Table {table['name']}: {table['title']}",
            [_line(table, row, reports, marks, used) for row in table["rows"]],
        )
    print()
    for name, report in reports.items():
        print(
            f"{marks[name]} {name}: {_about(report)}"
            if name in used
            else f"{name}: {_why_unused(report)}"
        )
    if any(marks[name].endswith("!]") for name in used):
        print(_LEGEND)


def _line(
    table: dict, row: dict, reports: dict[str, Report], marks: dict[str, str], used: set[str]
) -> dict[str, str]:
    """A row as it is printed; a measured column follows the last published one of its metric and
    protocol.
    """
    line, columns = dict(row["name"]), table["columns"]
    for index, (column, value) in enumerate(zip(columns, row["published"], strict=True)):
        line[column["title"]] = value
        if index + 1 == len(columns) or _kind(columns[index + 1]) != _kind(column):
            name, measured = next(_measured(row, column, reports), ("", ""))
            used |= {name} - {""}
            line[f"measured {column['title'].split(',')[0]}"] = (
                f"{measured} {marks.get(name, '')}".strip()
            )
    return line


def _kind(column: dict) -> tuple[str, str]:
    return column["metric"], column.get("protocol", "sgdet")


def _measured(row: dict, column: dict, reports: dict[str, Report]) -> Iterator[tuple[str, str]]:
    """Names of results that belong there, and the number, formatted."""
    metric, protocol = _kind(column)
    for name, report in reports.items():
        if "ours" in row and not _difference(report, row["ours"]):
            value = _value(report, metric, protocol)
            if value is not None:
                yield name, value


def _value(report: Report, metric: str, protocol: str) -> str | None:
    if metric == "parameters":
        return f"{report.model['parameters'] / 1e6:.1f}"
    if metric in ("latency_ms", "relations_per_second"):
        # Without it, no relation stage is in the latency: there is none, or there were no pairs for
        # it.
        if not (report.speed and report.speed["relations_per_second"]):
            return None
        return (
            f"{report.speed[metric]:.1f}"
            if metric == "latency_ms"
            else number(report.speed[metric])
        )
    means_something = report.protocol == protocol and all(
        stage in report.weights["trained"] for stage in STAGES
    )
    score = report.relations[metric] if means_something else None
    return None if score is None else percent(score)


def _difference(report: Report, ours: dict) -> list[str]:
    """In what the result is not the row's model, options and vocabulary."""
    ours = dict(ours)
    expected = {
        "vocabulary": "psg",
        "size": ours.pop("size"),
        "backbone": "dinov3",
        "image_size": 640,
    }
    found = {"vocabulary": report.dataset["vocabulary"], **report.model}
    # relation_threshold and max_relations as `dsflash eval` has them: all relations
    options = asdict(Options(relation_threshold=0.0, max_relations=0xFFFF)) | ours
    expected, found = expected | options, found | report.options
    return [f"{key} {found.get(key)}" for key, value in expected.items() if found.get(key) != value]


def _is_psg_test(report: Report) -> bool:
    with_relations = report.relations["images"] - report.relations["images_without_relations"]
    return (report.dataset["vocabulary"], report.dataset["split"], with_relations) == (
        "psg",
        "test",
        PSG_TEST_IMAGES,
    )


def _about(report: Report) -> str:
    parts = [
        f"{report.protocol} on {describe_dataset(report.dataset)}",
        f"weights {describe_weights(report.weights)}",
        f"on {describe_machine(report.machine, report.options)}",
    ]
    return "; ".join([*parts, describe_speed(report.speed)] if report.speed else parts)


def _why_unused(report: Report) -> str:
    rows = [
        row["ours"] for table in published()["tables"] for row in table["rows"] if "ours" in row
    ]
    nearest = min((_difference(report, ours) for ours in rows), key=len)
    if nearest:
        return f"in no table: it differs from the nearest row in {', '.join(nearest)}"
    return "in no table: it has no number for one that an earlier file does not give"
