import re

import pytest
from places import SHARED
from reports import report

from dsflash_ros.evaluation.tables import compare, published
from dsflash_ros.evaluation.tables_text import spade_text, tables_text

PAPERS = SHARED / "papers"


def printed(**reports):
    """The lines, and by table number and row label the cells."""
    lines = tables_text(compare(reports)).splitlines()
    tables, title = {}, ""
    for line in lines:
        title = (
            match[1]
            if (match := re.match(r"Table (\w+)( of the supplement)?.*: ", line))
            else title
        )
        key = f"{title}s" if match and match[2] else title
        title = key
        if line.startswith("| "):
            cells = [cell.strip() for cell in line.strip("|").split("|")]
            tables.setdefault(title, []).append(cells)
    return lines, tables


def cell(tables, table, row, column):
    head, *rows = tables[table]
    (found,) = [cells for cells in rows if cells[: len(row)] == list(row)]
    return found[head.index(column)]


def paper(name, start, rows):
    """The rows of a table in the text of a paper, below the line that begins with `start`."""
    path = PAPERS / name
    if not path.is_file():
        pytest.skip(f"the paper's text is not at {path}")
    lines = path.read_text().splitlines()
    first = next(i for i, line in enumerate(lines) if line.startswith(start))
    return [
        line
        for line in lines[first:]
        if re.search(r"\s[\d.,]+M?$", line) and not line.startswith("Table")
    ][:rows]


# file, first words of the table, and its name here
SOURCES = [
    ("dsflash.txt", "Table 1:", "1"),
    ("dsflash.txt", "Table 2:", "2"),
    ("dsflash.txt", "Table 3:", "3 (supplement: 6)"),
    ("dsflash_supplement.txt", "Table 6.", "3 (supplement: 6)"),
    ("dsflash_supplement.txt", "Table 3.", "3 of the supplement"),
    ("dsflash_supplement.txt", "Table 4.", "4 of the supplement"),
    ("dsflash_supplement.txt", "Table 5.", "5 of the supplement"),
]


@pytest.mark.parametrize(("file", "start", "name"), SOURCES)
def test_published_numbers_are_the_papers(file, start, name):
    (table,) = [table for table in published()["tables"] if table["name"] == name]
    rows = paper(file, start, len(table["rows"]))
    assert len(rows) == len(table["rows"])
    for row, line in zip(table["rows"], rows, strict=True):
        numbers = re.sub(r"\([^)]*%\)|ms|M$", "", line)  # "41 (-91%)", "29 ms", "340M"
        assert (
            re.findall(r"\d[\d,.]*(?=\s|$)", numbers)[-len(row["published"]) :] == row["published"]
        )
        label = row["name"].get("Method")
        if label:
            assert re.sub(r" \(1\)|, from \(1\)", "", label) in line
        else:
            assert row["name"]["ToMe"] in line
            assert file == "dsflash.txt" or line.startswith(
                "\N{CHECK MARK}" if row["name"]["Prune"] == "yes" else "\N{MULTIPLICATION SIGN}"
            )


def test_without_results_the_measured_columns_are_blank():
    _, tables = printed()
    assert list(tables) == ["1", "2", "3", "3s", "4s", "5s"]
    for head, *rows in tables.values():
        measured = [i for i, title in enumerate(head) if title.startswith("measured")]
        assert measured and all(row[i] == "" for row in rows for i in measured)
        assert all(row[i] for row in rows for i in range(len(head)) if i not in measured)


def test_a_result_stands_in_its_rows_only():
    lines, tables = printed(mine=report())
    assert cell(tables, "2", ["Gated Bidir. Pred. (1)"], "measured mR@50") == "22.22 [1]"
    assert cell(tables, "2", ["Gated Bidir. Pred. (1)"], "measured latency ms") == "12.3 [1]"
    assert cell(tables, "2", ["Gated Bidir. Pred. (1)"], "measured RPS") == "98,765 [1]"
    assert cell(tables, "3", ["no", "0%"], "measured latency ms") == "12.3 [1]"
    assert cell(tables, "3s", ["DSFlash-B"], "measured SGDet mR@50") == "22.22 [1]"
    assert cell(tables, "3s", ["DSFlash-B"], "measured PredCls mR@50") == ""
    assert cell(tables, "5s", ["no", "0%"], "measured RPS") == "98,765 [1]"
    assert sum("[1]" in line for line in lines) == 5  # four rows and the note
    (note,) = [line for line in lines if line.startswith("[1] mine")]
    assert all(
        word in note
        for word in ("psg/psg.json, split test: 2186 images", "a GPU in bfloat16", "w.safetensors")
    )


@pytest.mark.parametrize(
    ("options", "table", "row"),
    [
        ({"size": "large"}, "1", ["DSFlash-L"]),
        ({"size": "small", "low_resolution_masks": True}, "1", ["DSFlash-S*"]),
        ({"low_resolution_masks": True}, "2", ["No Seg. Upscaling"]),
        ({"pruning": True}, "3", ["yes", "0%"]),
        ({"pruning": True, "tome_ratio": 0.3}, "3", ["yes", "30%"]),
        ({"tome_ratio": 0.5}, "5s", ["no", "50%"]),
        ({"size": "large"}, "4s", ["DSFlash-L"]),
    ],
)
def test_options_choose_the_row(options, table, row):
    _, tables = printed(mine=report(**options))
    assert cell(tables, table, row, "measured mR@50") == "22.22 [1]"
    assert sum("22.22 [1]" in cells for cells in tables[table]) == 1


def test_both_protocols():
    _, tables = printed(a=report(protocol="predcls"), b=report(speed=False))
    assert cell(tables, "3s", ["DSFlash-B"], "measured PredCls mR@50") == "22.22 [1]"
    assert cell(tables, "3s", ["DSFlash-B"], "measured SGDet mR@50") == "22.22 [2]"
    assert cell(tables, "2", ["Gated Bidir. Pred. (1)"], "measured latency ms") == "12.3 [1]"


def test_anything_but_psgs_test_split_is_marked():
    lines, tables = printed(mine=report(dataset={"split": "val"}))
    assert cell(tables, "3s", ["DSFlash-B"], "measured SGDet mR@50") == "22.22 [1!]"
    assert lines[-1].startswith("[n!] not the 2177 test images of PSG")
    few = report()
    few.relations["images"] = 16
    assert printed(mine=few)[0][-1].startswith("[n!]")


def test_scores_of_untrained_weights_stay_out_but_not_their_speed():
    lines, tables = printed(mine=report(trained=()))
    assert cell(tables, "2", ["Gated Bidir. Pred. (1)"], "measured mR@50") == ""
    assert cell(tables, "2", ["Gated Bidir. Pred. (1)"], "measured latency ms") == "12.3 [1]"
    assert "untrained: the scores mean nothing" in lines[-1]


@pytest.mark.parametrize("trained", [("segmenter",), ()])
def test_a_latency_without_relations_stays_out(trained):
    mine = report(trained=trained)
    mine.speed["relations_per_second"] = None
    _, tables = printed(mine=mine)
    assert not any("12.3 [" in text for rows in tables.values() for cells in rows for text in cells)


@pytest.mark.parametrize(
    ("mine", "sentence"),
    [
        (
            report(dataset={"vocabulary": "other"}),
            "mine: in no table: it differs from the nearest row in vocabulary other",
        ),
        (
            report(mask_threshold=0.5),
            "mine: in no table: it differs from the nearest row in mask_threshold 0.5",
        ),
        (report(size="tiny"), "mine: in no table: it differs from the nearest row in size tiny"),
        (
            report(tome_ratio=0.2),
            "mine: in no table: it differs from the nearest row in tome_ratio 0.2",
        ),
    ],
)
def test_what_fits_no_row_is_not_shown_as_if_it_did(mine, sentence):
    lines, tables = printed(mine=mine)
    assert lines[-1] == sentence
    assert not any("[1" in text for rows in tables.values() for cells in rows for text in cells)


def test_of_two_results_for_a_row_the_first_stands():
    lines, tables = printed(a=report(), b=report())
    assert cell(tables, "3s", ["DSFlash-B"], "measured SGDet mR@50") == "22.22 [1]"
    assert (
        lines[-1] == "b: in no table: it has no number for one that an earlier file does not give"
    )


def test_spades_tables_warn_of_their_protocol():
    text = spade_text()
    assert "several masks for an object" in text.splitlines()[1]
    assert text.count("45.1/41.2") == 2  # SPADE in the closed setting, and the last of its steps


@pytest.mark.skipif(not (PAPERS / "spade.txt").exists(), reason="needs the text of the paper")
def test_spades_numbers_are_those_printed():
    paper = (PAPERS / "spade.txt").read_text()
    cells = re.findall(r"\d\d\.\d", spade_text())
    assert len(cells) > 50
    assert all(cell in paper for cell in cells)
