"""Scores of the comparison of words, against loops."""

import json

import numpy as np
import pytest
from places import ROOT

pytest.importorskip("lightning")

import open_vocabulary
import synonyms

PREDICATES = json.loads((ROOT / "dsflash_ros/resources/toyroom.json").read_text())["predicates"]


def test_the_splits_are_of_the_vocabulary():
    splits = json.loads((ROOT / "benchmarks/open_vocabulary_splits.json").read_text())
    assert list(splits) == ["N1", "N2", "R1", "R2", "R3", "R4", "R5"]
    for split in splits.values():
        names = [*split["novel"], *split["rehearsed"]]
        assert len(set(names)) == 8 and set(names) <= set(PREDICATES)


@pytest.mark.parametrize("seed", range(5))
def test_macro_accuracy(seed):
    random = np.random.default_rng(seed)
    holds = random.random((40, 6)) < 0.3
    found = random.integers(0, 6, 40)
    shares = []
    for predicate in (1, 4, 5):
        mine = [row for row in range(40) if holds[row, predicate]]
        if mine:
            shares.append(sum(holds[row, found[row]] for row in mine) / len(mine))
    expected = sum(shares) / len(shares)
    assert open_vocabulary.macro_accuracy(found, holds, (1, 4, 5)) == pytest.approx(expected)


@pytest.mark.parametrize("seed", range(5))
def test_conse(seed):
    random = np.random.default_rng(seed)
    logits, base, novel = (random.normal(size=size) for size in ((7, 8), (8, 12), (3, 12)))
    novel /= np.linalg.norm(novel, axis=1, keepdims=True)
    found = open_vocabulary.conse(logits, base, novel)
    for row, own in zip(found, logits, strict=True):
        best = np.argsort(-own)[: open_vocabulary.CONSE_NAMES]
        odds = np.exp(own[best])
        mixed = (odds[:, None] * base[best]).sum(0) / odds.sum()
        np.testing.assert_allclose(row, novel @ mixed / np.linalg.norm(mixed), atol=1e-12)


def test_synonyms_of_the_package():
    rows = synonyms.rows_of("toyroom", 1)
    assert [row["kind"] for row in rows] == ["classes"] * 5 + ["predicates"] * 5
    for kind in ("classes", "predicates"):
        shares = [row["understood"] for row in rows if row["kind"] == kind]
        assert shares == sorted(shares, reverse=True) and shares[0] > 0.5
