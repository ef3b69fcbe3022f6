"""The numbers of README and docs are those of benchmarks/results."""

import re

import pytest
from pages import read_page
from places import ROOT
from results_told import assert_row, frame_times, result, shows

RESULTS = read_page(ROOT / "docs/results.md")
PERFORMANCE = read_page(ROOT / "docs/performance.md")


@pytest.fixture(scope="module")
def scores():
    pairs = {row["predictor"]: row for row in result("toyroom_class_pairs")["rows"]}
    return {
        "PredCls": result("toyroom_predcls")["relations"],
        "PredCls of a small MLP": pairs["MLP"],
        "PredCls of the frequency": pairs["frequency"],
        "SGDet": result("toyroom_sgdet")["relations"],
    }


def test_recall(scores):
    header, *rows = RESULTS.table("Relations")
    assert len(rows) == len(scores)
    for (start, found), row in zip(scores.items(), rows, strict=True):
        assert row[0].startswith(start)
        assert_row(row[1:], [100 * found[key] for key in header[1:]])


@pytest.mark.parametrize(
    ("heading", "name"),
    [
        ("How good they are", "toyroom_relation_stages"),
        ("Objects and neck", "toyroom_objects_and_neck"),
        ("Finer cells", "toyroom_finer_cells"),
        ("The steps of rgt", "toyroom_rgt"),
    ],
)
def test_parts_of_the_relation_stages(heading, name):
    _, *rows = read_page(ROOT / "docs/relation_stages.md").table(heading)
    found = {row["stage"]: row for row in result(name)["rows"]}
    assert [name for name, *_ in rows] == list(found)
    keys = ("predcls R@50", "predcls mR@20", "predcls mR@50", "predcls near R@50")
    for name, *cells in rows:
        near, distant = cells.pop(3).split(", ")
        *parts, parameters, times = cells[:7]  # a page may say more
        row = found[name]
        percents = (*keys, "predcls distant R@50", "sgdet R@50", "sgdet mR@50")
        assert_row([*parts[:3], near, distant, *parts[3:]], [100 * row[key] for key in percents])
        assert shows(parameters, row["parameters"] / 1e6)
        assert_row(times.split(", "), [row[f"ms at {count}"] for count in (10, 20, 50)])


@pytest.mark.parametrize(
    ("heading", "number", "name", "seeds"),
    [
        ("The steps of rgt", 1, "toyroom_rgt_seeds", 2),
        ("How much chance there is", 0, "toyroom_stage_seeds", 3),
    ],
)
def test_seeds_of_the_relation_stages(heading, number, name, seeds):
    _, *rows = read_page(ROOT / "docs/relation_stages.md").table(heading, number=number)
    found = {row["stage"]: row for row in result(name)["rows"]}
    assert [name for name, *_ in rows] == list(found)
    keys = ("predcls R@50", "predcls mR@50", "predcls mR@50 spread", "sgdet mR@50")
    for name, *cells in rows:
        assert found[name]["seeds"] == seeds
        assert_row(cells, [100 * found[name][key] for key in keys])


def test_pairs_that_a_selection_keeps():
    _, *rows = read_page(ROOT / "docs/relation_stages.md").table("Pairs left out")
    found = {row["kept"]: row for row in result("toyroom_kept_pairs")["rows"]}
    assert rows
    for rule, *cells in rows:
        values = (found[rule][key] for key in ("of all pairs", "of related pairs"))
        assert_row(cells, [100 * value for value in values])


def test_weights_of_the_relation_stages(scores):
    page = read_page(ROOT / "docs/relation_stages.md")
    _, *rows = page.table("How good they are", number=1)
    neck, pruned = (
        [result(f"toyroom_neck_{name}{how}")["relations"] for name in ("predcls", "sgdet")]
        for how in ("", "_pruned")
    )
    both = scores["PredCls"], scores["SGDet"]
    found = [both, neck, pruned, (scores["PredCls of a small MLP"],)]
    for (_, *cells), protocols in zip(rows, found, strict=True):
        values = [100 * one[key] for one in protocols for key in ("R@50", "mR@50")]
        assert_row([cell for cell in cells if cell], values)


def test_recall_of_each_predicate(scores):
    _, *rows = RESULTS.table("Each predicate")
    columns = [
        scores[name]["per_predicate"] for name in scores if name != "PredCls of the frequency"
    ]
    assert {row[0] for row in rows} == {n for n, found in columns[0].items() if found["relations"]}
    for predicate, relations, *recalls in rows:
        assert int(relations) == columns[0][predicate]["relations"]
        assert_row(recalls, [100 * column[predicate]["R@50"] for column in columns])


def test_panoptic_quality():
    found = result("toyroom_sgdet")["panoptic"]
    for name, *cells in RESULTS.table("Segments")[1:]:
        keys = (name, f"{name}_things", f"{name}_stuff")
        assert_row(cells, [100 * found[key] for key in keys])


def test_variants():
    plain = {name: result(f"toyroom_{name}") for name in ("predcls", "sgdet")}
    for name, suffix in (("`--low-resolution-masks`", "low"), ("`--tome-ratio 0.3`", "tome")):
        (row,) = (row for row in RESULTS.table("Variants")[1:] if row[0] == name)
        for title, cell in zip(RESULTS.table("Variants")[0][1:], row[1:], strict=True):
            if not cell:
                continue
            protocol, key = f"sgdet {title}".split()[-2:]
            part = "panoptic" if key == "PQ" else "relations"
            there, here = result(f"toyroom_{protocol.lower()}_{suffix}"), plain[protocol.lower()]
            # a difference of two rounded numbers is off by up to a unit
            difference = 100 * (there[part][key] - here[part][key])
            assert abs(float(cell) - difference) < 0.1 + 1e-9


def test_thresholds(scores):
    header, *rows = RESULTS.table("Scores as probabilities")
    found = scores["SGDet"]["thresholds"]
    assert_row(rows[0][1:], [found[key]["relations"] for key in header[1:]])
    for row, name in zip(rows[1:], ("precision", "recall"), strict=True):
        assert row[0].startswith(name)
        assert_row(row[1:], [100 * found[key][name] for key in header[1:]])
    errors = [
        result(f"toyroom_{name}")["relations"]["calibration_error"] for name in ("sgdet", "predcls")
    ]
    text = " ".join(RESULTS.lines)
    told = re.search(r"true by (\d+) points? on average.*too low, by (\d+) points", text)
    assert_row(told.groups(), [100 * error for error in errors])


def test_consistency():
    header, *rows = read_page(ROOT / "docs/consistency.md").table(
        "What the consistency loss does", number=1
    )
    found = result("cpu_2_cores_consistency")["rows"]
    for row, one in zip(rows, found, strict=True):
        assert row[0] == one["weight of Eq. 7"]
        assert_row(row[1:4], [100 * one[key] for key in header[1:4]])
        assert shows(row[4], one["direction_gap"])


def test_rotary_positions():
    _, *rows = read_page(ROOT / "docs/model.md").table("Rotary positions of merged tokens")
    text = (ROOT / "benchmarks/results/merged_positions.txt").read_text()
    assert rows == [line.split() for line in text.splitlines()[3:] if line.strip()]


def test_the_recipe_at_a_tenth():
    text = " ".join(read_page(ROOT / "docs/toyroom.md").lines)
    told = re.search(
        r"PredCls mR@50 ([\d.]+) %, SGDet mR@50 ([\d.]+) % and PQ ([\d.]+) % on the 500 test rooms,"
        r" where the weights of the package have ([\d.]+), ([\d.]+) and ([\d.]+) %",
        text,
    )
    found = []
    for name in ("toyroom_tenth", "toyroom"):
        of_image = result(f"{name}_sgdet")
        found += [result(f"{name}_predcls")["relations"]["mR@50"], of_image["relations"]["mR@50"]]
        found.append(of_image["panoptic"]["PQ"])
    assert_row(told.groups(), [100 * score for score in found])


def test_first_graphs():
    header, *told = read_page(ROOT / "docs/performance.md").table("The node's own cost", number=1)
    for (_, *cells), row in zip(told, result("cpu_2_cores_first_graph")["rows"], strict=True):
        assert_row(cells, [row[column] for column in header[1:]])


def test_tasks_of_the_agent():
    (_, _, _, *kinds), *told = read_page(ROOT / "docs/agent.md").table("How many tasks are solved")
    rows = result("cpu_2_cores_agent")["rows"]
    totals = [row for row in rows if "tasks" in row]
    assert len(told) == len(totals)
    for (graphs, agent, solved, *counts), total in zip(told, totals, strict=True):
        assert (graphs, agent) == (total["graphs"], total["agent"])
        own = [r for r in rows if "seed" in r and (r["graphs"], r["agent"]) == (graphs, agent)]
        assert total["tasks"] == len({row["seed"] for row in own}) == len(own) == 50
        assert_row([solved], [total["solved %"]])
        assert 2 * sum(row["solved"] for row in own) == total["solved %"]
        for kind, count in zip(kinds, counts, strict=True):
            assert total[kind] == sum(row["failure"] == kind for row in own) == int(count)


def test_the_readme(scores):
    text = " ".join(read_page(ROOT / "README.md").lines)
    told = re.search(
        r"PredCls mR@50 ([\d.]+) %, SGDet mR@50 ([\d.]+) % and PQ ([\d.]+) %"
        r".*PredCls mR@50 ([\d.]+) %"
        r".*takes (\d+) ms on two CPU cores in float32, (\d+) ms in bfloat16",
        text,
    )
    found = [scores[name]["mR@50"] for name in ("PredCls", "SGDet")]
    found += [result("toyroom_sgdet")["panoptic"]["PQ"], scores["PredCls of a small MLP"]["mR@50"]]
    times = [
        frame_times(name, "640x480")["total"]
        for name in ("frame_toyroom", "frame_toyroom_bfloat16")
    ]
    assert_row(told.groups(), [*(100 * score for score in found), *times])
