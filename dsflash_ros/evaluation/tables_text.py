"""The paper's tables with measured columns, as text."""

from dsflash_ros.evaluation.tables import Comparison
from dsflash_ros.text_tables import table


def tables_text(comparison: Comparison) -> str:
    """The tables, then a note about each result; several lines."""
    tables = [table(one.title, one.rows) for one in comparison.tables]
    return "\n".join([comparison.source, *tables, "", *comparison.notes])
