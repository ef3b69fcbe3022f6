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
