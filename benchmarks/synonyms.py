"""How many synonyms weights understand that are not stored with them.

    python benchmarks/synonyms.py [--weights toyroom] [--draws 20] [--json FILE]

In each draw half of each name's stored synonyms, and half of the stored words that are no names,
are taken away, and then asked for. Shares, means over the draws, for several least cosines:

understood      synonyms that mean their name
misunderstood   synonyms that mean another name
taken           words that are no names, but mean one
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from dsflash_ros.argument_types import positive
from dsflash_ros.bench.results import store
from dsflash_ros.errors import DSFlashError, LanguageError
from dsflash_ros.graph.words import plain_words
from dsflash_ros.language.text_encoder import PhraseTable
from dsflash_ros.language.wording import KnownNames
from dsflash_ros.machine import machine
from dsflash_ros.text_tables import Row, show
from dsflash_ros.weights.loading import open_weights

SNAPS = (0.4, 0.5, 0.6, 0.7, 0.8)


def halves(texts: Sequence[str], random: np.random.Generator) -> tuple[list[str], list[str]]:
    """Two halves at random; the second is not smaller."""
    drawn = random.permutation(texts).tolist()
    return drawn[: len(drawn) // 2], drawn[len(drawn) // 2 :]


def draw(
    names: KnownNames,
    others: Sequence[str],
    phrase_of: Callable[[str], str],
    table: PhraseTable,
    seed: int,
) -> np.ndarray:
    """(snaps, 3): the shares of one draw."""
    random = np.random.default_rng(seed)
    asked, synonyms = {}, {}
    for name in names.names:
        hidden, synonyms[name] = halves(names.synonyms.get(name, ()), random)
        asked |= dict.fromkeys(hidden, name)
    strange, kept = halves(others, random)
    known = KnownNames(names.kind, names.names, names.weights, synonyms)
    rows = []
    for snap in SNAPS:
        words = [*asked, *strange]
        meanings = known.open_wording(words, phrase_of, table, snap, kept).meanings
        means = {one.asked: None if one.is_new else one.known for one in meanings}
        said = [(means[word], name) for word, name in asked.items()]
        right = np.mean([meant == name for meant, name in said])
        wrong = np.mean([meant not in (None, name) for meant, name in said])
        rows.append((right, wrong, np.mean([means[word] is not None for word in strange])))
    return np.array(rows)


def rows_of(weights: str, draws: int) -> list[Row]:
    """A row for each kind and snap. Raises `LanguageError` for weights without a language."""
    opened = open_weights(weights)
    language, vocabulary = opened.header.language, opened.header.vocabulary
    if language is None:
        raise LanguageError(f"the weights {weights!r} have no language; see dsflash weights open")
    table = PhraseTable(language.phrases, opened.phrases(), language.sha256)
    rows = []
    for kind, known, phrase_of in (
        ("classes", vocabulary.classes, language.class_phrase),
        ("predicates", vocabulary.predicates, language.predicate_phrase),
    ):
        names = KnownNames(kind, known, weights, language.synonyms)
        every = {*names.phrases(), *map(plain_words, known)}
        other = KnownNames(
            "",
            {"classes": vocabulary.predicates, "predicates": vocabulary.classes}[kind],
            "",
            language.synonyms,
        )
        others = [text for text in language.phrases if text not in every | {*other.phrases()}]
        found = [draw(names, others, phrase_of, table, seed) for seed in range(draws)]
        for snap, shares in zip(SNAPS, np.mean(found, axis=0).round(4).tolist(), strict=True):
            titles = ("understood", "misunderstood", "taken")
            rows.append({"kind": kind, "snap": snap, **dict(zip(titles, shares, strict=True))})
    return rows


def main() -> int:
    """Draw, print, store."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--weights", default="toyroom", help="(default: toyroom)")
    parser.add_argument("--draws", type=positive, default=20, metavar="N", help="(default: 20)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="store everything there, too")
    args = parser.parse_args()
    try:
        rows = rows_of(args.weights, args.draws)
        show("words that are not stored, shares", rows)
        if args.json:
            store(args.json, "synonyms", {"draws": args.draws}, rows, machine())
    except DSFlashError as error:
        print(f"synonyms: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
