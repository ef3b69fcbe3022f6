"""Tables and counts as text."""

Row = dict[str, str | int | float]


def show(title: str, rows: list[Row]) -> None:
    """Print rows as a table; all have the same keys."""
    print(f"\n{title}\n")
    cells = [
        list(rows[0]),
        *([f"{v:.2f}" if isinstance(v, float) else str(v) for v in row.values()] for row in rows),
    ]
    widths = [max(len(cell) for cell in column) for column in zip(*cells, strict=True)]
    for number, line in enumerate(cells):
        print(
            "| "
            + " | ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True))
            + " |"
        )
        if number == 0:
            print("|" + "|".join("-" * (width + 1) + ":" for width in widths) + "|")


def counted(number: int, noun: str) -> str:
    """`1 image`, `2 images`."""
    return f"{number} {noun if number == 1 else noun + 's'}"
