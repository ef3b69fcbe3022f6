"""The DSFlash paper's tables, with what was measured here beside what the paper prints.

`tables_text` shows them.
"""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import cache
from importlib import resources

from dsflash_ros.evaluation.phrases import (
    describe_dataset,
    describe_machine,
    describe_speed,
    describe_weights,
    number,
    percent,
)
from dsflash_ros.evaluation.report import Report
from dsflash_ros.model.header import STAGES
from dsflash_ros.pipeline.asking import NAMES
from dsflash_ros.pipeline.options import Options

PSG_TEST_IMAGES = 2177
"""Images of PSG's test split that have relations (nine more have none)."""

_LEGEND = (
    f"[n!] not the {PSG_TEST_IMAGES} test images of PSG that the paper evaluates: "
    "not comparable with its numbers"
)


@dataclass(frozen=True)
class PaperTable:
    """A table of the paper with measured columns.

    Attributes:
        title: with its number.
        rows: by the columns' titles, formatted numbers; a measured one names its result, as in
            `22.22 [1]`, and is empty where there is none.
    """

    title: str
    rows: list[dict[str, str]]


@dataclass(frozen=True)
class Comparison:
    """All tables.

    Attributes:
        source: where the published numbers are from.
        tables: as in the paper.
        notes: about each result, in what it was measured or why it is in no table.
    """

    source: str
    tables: list[PaperTable]
    notes: list[str]


@cache
def published() -> dict:
    """The paper's tables: `source`, and `tables` of `name`, `title`, `columns` and `rows`.

    A column has a `title`, a `metric`, and a `protocol` where it is not sgdet. A row has a `name`,
    `published`: a number for each column, as printed, and for DSFlash's own `ours`: its options.
    """
    path = resources.files("dsflash_ros").joinpath("resources/published.json")
    return json.loads(path.read_text())


def compare(reports: dict[str, Report]) -> Comparison:
    """Put results, by the names of their files, into the rows whose model and options are theirs.

    A result must have PSG's vocabulary. Scores of untrained weights are left out; their speed is
    not, unless nothing was related. Where several results fit, the first one stands.
    """
    marks = {}
    for position, (name, report) in enumerate(reports.items(), 1):
        marks[name] = f"[{position}]" if _is_psg_test(report) else f"[{position}!]"
    used: set[str] = set()
    tables = [
        PaperTable(
            f"Table {table['name']}: {table['title']}",
            [_line(table, row, reports, marks, used) for row in table["rows"]],
        )
        for table in published()["tables"]
    ]
    notes = []
    for name, report in reports.items():
        if name in used:
            notes.append(f"{marks[name]} {name}: {_about(report)}")
        else:
            notes.append(f"{name}: {_why_unused(report)}")
    if any(marks[name].endswith("!]") for name in used):
        notes.append(_LEGEND)
    return Comparison(published()["source"], tables, notes)


def _line(
    table: dict, row: dict, reports: dict[str, Report], marks: dict[str, str], used: set[str]
) -> dict[str, str]:
    """A row; a measured column follows the last published one of its metric and protocol.

    Adds to `used` the names of the results that it shows.
    """
    line, columns = dict(row["name"]), table["columns"]
    for index, (column, value) in enumerate(zip(columns, row["published"], strict=True)):
        line[column["title"]] = value
        is_last = index + 1 == len(columns) or _kind(columns[index + 1]) != _kind(column)
        if not is_last:
            continue
        title = f"measured {column['title'].split(',')[0]}"
        line[title] = ""
        for name, measured in _measured(row, column, reports):
            line[title] = f"{measured} {marks[name]}"
            used.add(name)
            break  # the first one stands
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
    """The formatted number of a result; None where it has none that means something."""
    if metric == "parameters":
        return f"{report.model['parameters'] / 1e6:.1f}"
    if metric in ("latency_ms", "relations_per_second"):
        # Without relations a second no relation stage is in the latency: there is none, or there
        # were no pairs for it.
        if not (report.speed and report.speed["relations_per_second"]):
            return None
        value = report.speed[metric]
        return f"{value:.1f}" if metric == "latency_ms" else number(value)
    is_trained = all(stage in report.weights["trained"] for stage in STAGES)
    score = report.relations[metric] if is_trained and report.protocol == protocol else None
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
    expected |= asdict(Options(relation_threshold=0.0, max_relations=0xFFFF)) | ours
    expected |= dict.fromkeys(NAMES)  # nothing was asked for but all
    found |= report.options
    return [f"{key} {found.get(key)}" for key, value in expected.items() if found.get(key) != value]


def _is_psg_test(report: Report) -> bool:
    with_relations = report.relations["images"] - report.relations["images_without_relations"]
    found = report.dataset["vocabulary"], report.dataset["split"], with_relations
    return found == ("psg", "test", PSG_TEST_IMAGES)


def _about(report: Report) -> str:
    """On what a result was measured."""
    parts = [
        f"{report.protocol} on {describe_dataset(report.dataset)}",
        f"weights {describe_weights(report.weights)}",
        f"on {describe_machine(report.machine, report.options)}",
    ]
    if report.speed:
        parts.append(describe_speed(report.speed))
    return "; ".join(parts)


def _why_unused(report: Report) -> str:
    ours = [
        row["ours"] for table in published()["tables"] for row in table["rows"] if "ours" in row
    ]
    nearest = min((_difference(report, options) for options in ours), key=len)
    if nearest:
        return f"in no table: it differs from the nearest row in {', '.join(nearest)}"
    return "in no table: it has no number for one that an earlier file does not give"
