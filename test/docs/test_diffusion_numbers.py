"""The numbers of docs/diffusion.md are those of benchmarks/results."""

from pages import read_page
from places import ROOT
from results_told import assert_row, result, shows

PAGE = read_page(ROOT / "docs/diffusion.md")


def test_the_ablation():
    """The last column is the paper's."""
    _, *rows = PAGE.table("What was measured")
    names = ("toyroom_calibration", "toyroom_calibration_boxes")
    found = {row["calibration"]: row for name in names for row in result(name)["rows"]}
    assert [name for name, *_ in rows] == list(found)
    for name, *cells in rows:
        row = found[name]
        *scores, losses, _ = cells
        keys = ("R@50", "mR@50", "near R@50", "distant R@50", "novel", "permuted", "all, novel")
        assert_row(scores, [100 * row[key] for key in keys])
        assert bool(losses) == (row["L_cal first"] is not None)
        if losses:
            assert_row(losses.split(" to "), [row["L_cal first"], row["L_cal last"]])


def test_inversion():
    header, *rows = PAGE.table("What was measured", number=1)
    for cells, row in zip(rows, result("toyroom_inversion")["rows"], strict=True):
        assert int(cells[0]) == row["steps"]
        for name, cell in zip(header[1:], cells[1:], strict=True):
            assert shows(cell, row[name]), (name, cell)
