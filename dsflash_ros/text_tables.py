"""Tables and counts as text."""

Row = dict[str, str | int | float]


def show(title: str, rows: list[Row]) -> None:
    """Print rows as a table; all have the same keys."""
    print(table(title, rows))


def table(title: str, rows: list[Row]) -> str:
    """Rows as text, below an empty line and the title; all have the same keys."""
    cells = [list(rows[0]), *([_cell(value) for value in row.values()] for row in rows)]
    widths = [max(len(cell) for cell in column) for column in zip(*cells, strict=True)]
    head, *body = (_line(line, widths) for line in cells)
    rule = "|" + "|".join("-" * (width + 1) + ":" for width in widths) + "|"
    return "\n".join(["", title, "", head, rule, *body])


def _cell(value: str | int | float) -> str:
    return f"{value:.2f}" if isinstance(value, float) else str(value)


def _line(cells: list[str], widths: list[int]) -> str:
    padded = (cell.rjust(width) for cell, width in zip(cells, widths, strict=True))
    return "| " + " | ".join(padded) + " |"


def counted(number: int, noun: str) -> str:
    """`1 image`, `2 images`."""
    return f"{number} {noun if number == 1 else noun + 's'}"
