"""The scores on the page of segmenters are those of benchmarks/results."""

import re

from pages import read_page
from places import ROOT
from results_told import assert_row, result


def test_scores_of_the_trained_ones():
    told = " ".join(read_page(ROOT / "docs/segmenters.md").lines)
    lite0 = re.search(r"PQ (\S+) %\*\* \(things (\S+) %, stuff (\S+) %\)", told)
    toyroom = re.search(r"for far longer, has (\S+) % \((\S+) %, (\S+) %\)", told)
    scores = [
        100 * result(name)["panoptic"][key]
        for name in ("toyroom_lite0_sgdet", "toyroom_sgdet")
        for key in ("PQ", "PQ_things", "PQ_stuff")
    ]
    assert_row([*lite0.groups(), *toyroom.groups()], scores)


def test_times_of_the_encoder():
    told = " ".join(read_page(ROOT / "docs/segmenters.md").lines)
    ms = {row["what"]: row["median ms"] for row in result("cpu_2_cores_proscale_encoder")["rows"]}
    full, three, one = (
        ms[f"encoder {stages}"] for stages in ("(0, 0, 6)", "(3, 3, 3)", "(1, 1, 1)")
    )
    match = re.search(r"layers take (\d+) ms, \(3, 3, 3\) (\d+) ms \(([\d.]+) of that", told)
    assert_row(match.groups(), [full, three, three / full])
    match = re.search(r"and \(1, 1, 1\) (\d+) ms \(([\d.]+);", told)
    assert_row(match.groups(), [one, one / full])
    match = re.search(r"maxima take ([\d.]+) ms where the convolution takes (\d+) ms", told)
    assert_row(match.groups(), [ms["3x3 maxima"], ms["3x3 convolution"]])
    match = re.search(
        r"takes (\d+) ms a layer, by `grid_sample` and in transformers (\d+) ms", told
    )
    ways = ("in bags", "by grid_sample", "by transformers")
    bags, grid, theirs = (ms[f"sampling {way}"] for way in ways)
    assert_row(match.groups(), [bags, grid])
    assert_row([match[2]], [theirs])
