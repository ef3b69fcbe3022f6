"""The paper's tables with measured columns, as text."""

import json
from importlib import resources

from dsflash_ros.evaluation.tables import Comparison
from dsflash_ros.text_tables import table


def tables_text(comparison: Comparison) -> str:
    """The tables, then a note about each result; several lines."""
    tables = [table(one.title, one.rows) for one in comparison.tables]
    return "\n".join([comparison.source, *tables, "", *comparison.notes])


def spade_text() -> str:
    """SPADE's tables as printed, with a warning; several lines."""
    path = resources.files("dsflash_ros").joinpath("resources/published_spade.json")
    found = json.loads(path.read_text())
    tables = [
        table(one["title"], [dict(zip(one["columns"], row, strict=True)) for row in one["rows"]])
        for one in found["tables"]
    ]
    return "\n".join([found["source"], found["warning"], *tables])
