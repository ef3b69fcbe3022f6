"""Compare two runs, evaluations or weights: what changed, and whether the second is better.

RUN is the folder of `dsflash run` or `dsflash replay`, or its scene_graph.jsonl. With the truth, in
a bag, both are scored against it. A replay knows its bag, and where that has the truth it is taken.
Or RUN is what `dsflash eval --json` stored; or, with --bag, weights, which are run on that bag.

Differences come with confidence intervals (95 %, paired bootstrap; neighbouring frames of a
recording count in blocks of two seconds). Fewer than five of these say nothing.

exit code: 1 when the second is surely worse than the first by more than --margin.

examples:
  dsflash compare before/drive after/drive
  dsflash compare before/drive after/drive --truth drive/ --margin 1 --json compared.json
  dsflash compare before.json after.json
  dsflash compare toyroom mine.safetensors --bag drive/
  dsflash compare before/drive after/drive --report compared.html
"""

import argparse
import json
import logging
from pathlib import Path

from dsflash_ros.argument_types import not_negative_float, positive
from dsflash_ros.cli.arguments import output_files
from dsflash_ros.files import expand

HELP = "compare two runs, evaluations or weights"

_SHOWN = 8
"""Names of what changed that are shown; all are in the JSON."""

_log = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Both runs, the truth, the margin."""
    parser.add_argument("first", metavar="RUN", help="before")
    parser.add_argument("second", metavar="RUN", help="after")
    parser.add_argument("--truth", type=Path, metavar="BAG", help="bag with the true graphs")
    parser.add_argument("--bag", type=Path, metavar="BAG", help="run weights on it and compare")
    parser.add_argument("--topic", help="with --bag: image topic, when it has several")
    parser.add_argument(
        "--limit", type=positive, metavar="N", help="with --bag: only the first N images"
    )
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
    from dsflash_ros.files import replacing

    if (args.topic or args.limit) and not args.bag:
        args.parser.error("--topic and --limit say what of --bag is meant: give it, too")
    if args.bag and args.truth:
        args.parser.error("--bag has the truth, too: leave --truth out")
    json_path, report_path = output_files(args, "json", "report")
    if report_path:
        _check_report(args)
    if _are_evaluations(args):
        found, text = _compare_evaluations(args)
    else:
        found, text = _compare_runs(args, report_path)
    print(text)
    if json_path:
        with replacing(json_path) as partial:
            partial.write_text(json.dumps(_as_json(found), indent=2) + "\n")
        print(f"written: {json_path}")
    if report_path:
        print(f"written: {report_path}")
    worse = [name for name, one in found.scores.items() if 100 * one.high < -args.margin]
    if worse:
        _log.error("the second is worse: %s", ", ".join(worse))
    return 1 if worse else 0


def _are_evaluations(args: argparse.Namespace) -> bool:
    return not args.bag and args.first.endswith(".json") and args.second.endswith(".json")


def _check_report(args: argparse.Namespace) -> None:
    from dsflash_ros.reports.page import check_extra

    if args.bag:
        args.parser.error("--report needs runs with pictures: make two with `dsflash replay` first")
    if _are_evaluations(args):
        args.parser.error("--report shows runs; of evaluations: dsflash eval --report")
    check_extra()


def _compare_evaluations(args: argparse.Namespace):
    from dsflash_ros.evaluation.comparison_text import evaluation_text
    from dsflash_ros.evaluation.evaluation_comparison import compare_evaluations
    from dsflash_ros.evaluation.report import Report

    if args.truth:
        args.parser.error("evaluations know the truth: leave --truth out")
    found = compare_evaluations(Report.read(args.first), Report.read(args.second))
    return found, evaluation_text(found)


def _compare_runs(args: argparse.Namespace, report_path: Path | None):
    from dsflash_ros.evaluation.run_comparison import compare_runs
    from dsflash_ros.evaluation.runs import read_run

    if args.bag:
        bag = expand(args.bag)
        runs = tuple(_run_of(weights, bag, args) for weights in (args.first, args.second))
    else:
        folders = expand(args.first), expand(args.second)
        bag = expand(args.truth) if args.truth else _bag_of(folders[0])
        runs = read_run(folders[0]), read_run(folders[1])
    truth = None if bag is None else _truth(bag, args.truth is None)
    found = compare_runs(*runs, truth)
    if report_path:
        from dsflash_ros.reports.comparison_page import write_comparison

        write_comparison(report_path, found, folders, runs, bag if truth else None)
    return found, _text(found)


def _run_of(weights: str, bag: Path, args: argparse.Namespace):
    """What these weights say of a bag, as `dsflash run --track` would write it."""
    from itertools import islice

    from dsflash_ros.evaluation.runs import run_of
    from dsflash_ros.pipeline.pipeline import SceneGraphPipeline
    from dsflash_ros.pipeline.tracked import TrackedPipeline
    from dsflash_ros.progress_bar import progress
    from dsflash_ros.sources.bag import BagSource

    tracked = TrackedPipeline(SceneGraphPipeline.from_weights(weights))
    with BagSource(bag, args.topic) as source:
        count = min(args.limit or len(source), len(source))
        return run_of(
            tracked(frame.rgb, frame.stamp, frame.name, frame.space)
            for frame in progress(islice(source, count), weights, count, "image")
        )


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
    from dsflash_ros.evaluation.comparison_text import score_line, share

    objects, relations = (share(found.same[name]) for name in ("objects", "relations"))
    lines = [
        f"{found.frames} frames in both runs; {found.only[0]} and {found.only[1]} in one alone",
        f"alike: {objects} of the objects, {relations} of the relations",
    ]
    lines += [score_line(name, one) for name, one in found.scores.items()]
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
    scores = {name: one.to_json() for name, one in found.scores.items()}
    plain = {"format": "dsflash-comparison-1", **vars(found), "scores": scores}
    for what in ("per_class", "per_predicate"):
        if what in plain:
            plain[what] = {name: counts._asdict() for name, counts in plain[what].items()}
    if "series" in plain:
        plain["series"] = [frame._asdict() for frame in plain["series"]]
    return plain
