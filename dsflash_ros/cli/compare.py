"""Compare two runs over the same images: what changed, and whether the second is better.

RUN is the folder of `dsflash run` or `dsflash replay`, or its scene_graph.jsonl. With the truth, in
a bag, both are scored against it, with confidence intervals (95 %, paired bootstrap over blocks of
two seconds). A replay knows its bag, and where that has the truth it is taken.

exit code: 1 when the second run is surely worse than the first by more than --margin.

examples:
  dsflash compare before/drive after/drive
  dsflash compare before/drive after/drive --truth drive/ --margin 1 --json compared.json
  dsflash compare before/drive after/drive --report compared.html
"""

import argparse
import json
import logging
from pathlib import Path

from dsflash_ros.argument_types import not_negative_float
from dsflash_ros.cli.arguments import output_files
from dsflash_ros.files import expand

HELP = "compare two runs over the same images"

_SHOWN = 8
"""Names of what changed that are shown; all are in the JSON."""

_log = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Both runs, the truth, the margin."""
    parser.add_argument("first", type=Path, metavar="RUN", help="before")
    parser.add_argument("second", type=Path, metavar="RUN", help="after")
    parser.add_argument("--truth", type=Path, metavar="BAG", help="bag with the true graphs")
    parser.add_argument(
        "--margin",
        type=not_negative_float,
        default=0.0,
        metavar="X",
        help="percentage points by which a score may be worse (default: %(default)g)",
    )
    parser.add_argument("--json", metavar="FILE", help="store everything there")
    parser.add_argument(
        "--report", metavar="FILE.html", help="write a page with plots and pictures of both runs"
    )
    parser.add_argument(
        "--overwrite", action="store_true", help="replace the files of --json and --report"
    )


def run(args: argparse.Namespace) -> int:
    """Compare, print, store."""
    from dsflash_ros.evaluation.run_comparison import compare_runs
    from dsflash_ros.evaluation.runs import read_run
    from dsflash_ros.files import replacing

    json_path, report_path = output_files(args, "json", "report")
    if report_path:
        from dsflash_ros.reports.page import check_extra

        check_extra()
    folders = expand(args.first), expand(args.second)
    runs = read_run(folders[0]), read_run(folders[1])
    bag = expand(args.truth) if args.truth else _bag_of(folders[0])
    truth = None if bag is None else _truth(bag, args.truth is None)
    found = compare_runs(*runs, truth)
    print(_text(found))
    if json_path:
        with replacing(json_path) as partial:
            partial.write_text(json.dumps(_as_json(found), indent=2) + "\n")
        print(f"written: {json_path}")
    if report_path:
        from dsflash_ros.reports.comparison_page import write_comparison

        write_comparison(report_path, found, folders, runs, bag if truth else None)
        print(f"written: {report_path}")
    worse = [name for name, one in found.scores.items() if 100 * one.high < -args.margin]
    if worse:
        _log.error("the second run is worse: %s", ", ".join(worse))
    return 1 if worse else 0


def _bag_of(folder: Path) -> Path | None:
    """The bag that was replayed, where it is there still."""
    try:
        bag = Path(json.loads((folder / "replay.json").read_text())["settings"]["bag"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return bag if bag.exists() else None


def _truth(bag: Path, is_guess: bool):
    """The true graphs of a bag; None where a bag that nobody named has none."""
    from dsflash_ros.errors import EvaluationError, SourceError
    from dsflash_ros.evaluation.runs import truth_of_bag

    try:
        found = truth_of_bag(bag)
    except SourceError:
        if is_guess:
            return None
        raise
    if not found and not is_guess:
        raise EvaluationError(f"the bag {bag} has no true graphs (/ground_truth/scene_graph)")
    return found or None


def _text(found) -> str:
    objects, relations = (f"{100 * found.same[name]:.1f} %" for name in ("objects", "relations"))
    lines = [
        f"{found.frames} frames in both runs; {found.only[0]} and {found.only[1]} in one alone",
        f"alike: {objects} of the objects, {relations} of the relations",
    ]
    for name, one in found.scores.items():
        what = "better" if one.low > 0 else "worse" if one.high < 0 else "no sure difference"
        lines.append(
            f"{name}: {100 * one.first:.1f} % to {100 * one.second:.1f} %: {what} "
            f"({100 * one.low:+.1f} to {100 * one.high:+.1f} points)"
        )
    for what, changed in (("only the second has", found.appeared), ("lost", found.vanished)):
        names = [f"{count} {name}" for name, count in changed.most_common(_SHOWN)]
        if names:
            lines.append(f"{what}: {', '.join(names)}")
    if None not in found.latency_ms:
        before, after = found.latency_ms
        lines.append(f"median latency: {before:.1f} ms to {after:.1f} ms")
    if found.worst:
        stamps = ", ".join(f"{stamp:.3f}" for stamp in found.worst)
        lines.append(f"the second is most behind at {stamps} s")
    return "\n".join(lines)


def _as_json(found) -> dict:
    scores = {name: {**one._asdict(), "is_sure": one.is_sure} for name, one in found.scores.items()}
    by_name = {
        what: {name: counts._asdict() for name, counts in getattr(found, what).items()}
        for what in ("per_class", "per_predicate")
    }
    series = [frame._asdict() for frame in found.series]
    return {
        "format": "dsflash-comparison-1",
        **vars(found),
        "scores": scores,
        **by_name,
        "series": series,
    }
