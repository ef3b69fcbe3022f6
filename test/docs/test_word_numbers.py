"""The numbers of the page on open vocabulary are those of benchmarks/results."""

from statistics import mean

from pages import read_page
from places import ROOT
from results_told import assert_row, result, shows

PAGE = read_page(ROOT / "docs/open_vocabulary.md")
COLUMNS = ("novel", "near", "distant", "ConSE", "permuted", "words", "trained")
COLUMNS += ("all, novel", "all, base", "harmonic")

OF_OBJECTS = ("novel", "ConSE", "permuted", "all, novel", "all, base", "harmonic")


def tables():
    """Each table's rows below its header."""
    found, rows = [], []
    for line in [*PAGE.lines, ""]:
        if line.startswith("|"):
            rows.append([cell.strip() for cell in line.strip("|").split("|")])
        elif rows:
            found.append(rows[2:])
            rows = []
    return found


def test_new_predicates():
    told = result("toyroom_open_vocabulary")["rows"]
    rows = {row["split"]: row for row in told if row["stage"] == "MLP"}
    page = tables()[1]
    assert [name for name, *_ in page] == list(rows)
    for name, *cells in page:
        assert_row(cells, [100 * rows[name][column] for column in COLUMNS])
    means = {column: 100 * mean(row[column] for row in rows.values()) for column in COLUMNS}
    text = " ".join(" ".join(PAGE.lines).split())
    assert "43 and 48 % in the mean" in text
    assert shows("43", means["distant"]) and shows("48", means["near"])
    assert "(48 and 40)" in text and "(47)" in text and "(95)" in text
    for printed, column in (("48", "novel"), ("40", "ConSE"), ("47", "words"), ("95", "trained")):
        assert shows(printed, means[column])
    assert "53 % of theirs are told" in text and shows("53", means["all, base"])
    (objects,) = [row for row in told if row["stage"] == "objects"]
    for printed, column in zip(("49", "37", "4", "37", "20", "26"), OF_OBJECTS, strict=True):
        assert printed in text and shows(printed, 100 * objects[column])
    hidden = [row for row in told if row["stage"] == "MLP, classes too"]
    columns = ("novel", "ConSE", "permuted", "words", "trained", "harmonic")
    for printed, column in zip(("38", "35", "17", "40", "77", "26"), columns, strict=True):
        assert printed in text and shows(printed, 100 * mean(row[column] for row in hidden))
    assert all(row["all, novel, no offset"] < 0.005 for row in rows.values())


def test_synonyms():
    rows = {(row["kind"], row["snap"]): row for row in result("toyroom_synonyms")["rows"]}
    for kind, *cells in tables()[0]:
        row = rows[kind, 0.6]
        titles = ("understood", "misunderstood", "taken")
        assert_row(cells, [100 * row[title] for title in titles])
    lower = rows["classes", 0.5], rows["predicates", 0.5]
    assert all(shows("80", 100 * row["understood"]) for row in lower)
    assert shows("22", 100 * lower[0]["taken"]) and shows("12", 100 * lower[1]["taken"])
