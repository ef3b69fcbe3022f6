"""A comparison of two evaluations as text."""

from math import isnan

from dsflash_ros.evaluation.bootstrap import Difference
from dsflash_ros.evaluation.evaluation_comparison import EvaluationComparison, K
from dsflash_ros.evaluation.phrases import NO_VALUE
from dsflash_ros.text_tables import table

_SHOWN = 8
"""Names that changed most that are shown; all are in the JSON."""


def share(value: float | None) -> str:
    """0..1 as `46.3 %`; None and NaN, of nothing, as `-`."""
    return NO_VALUE if value is None or isnan(value) else f"{100 * value:.1f} %"


def score_line(name: str, found: Difference) -> str:
    """A score in both runs, and whether the second is better."""
    scores = f"{name}: {share(found.first)} to {share(found.second)}"
    if isnan(found.low):
        return f"{scores}: {found.verdict}"
    interval = f"({100 * found.low:+.1f} to {100 * found.high:+.1f} points)"
    return f"{scores}: {found.verdict} {interval}"


def evaluation_text(found: EvaluationComparison) -> str:
    """The scores, and the predicates and classes that changed most."""
    first, second = found.only
    lines = [f"{found.images} images in both evaluations; {first} and {second} in one alone"]
    lines += [score_line(name, one) for name, one in found.scores.items()]
    for title, scores in ((f"predicates, R@{K} in %", found.predicates), ("PQ, %", found.classes)):
        changed = sorted(scores.items(), key=lambda item: -abs(item[1][1] - item[1][0]))
        rows = [
            {"": name, "first": f"{100 * a:.1f}", "second": f"{100 * b:.1f}"}
            for name, (a, b) in changed[:_SHOWN]
            if a != b
        ]
        if rows:
            lines.append(table(f"what changed most: {title}", rows))
    return "\n".join(lines)
