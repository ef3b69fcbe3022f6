"""Relation stages compared: what each part of one is worth, and what it costs.

    python benchmarks/relation_stages.py DATASET --test DATASET2 --segmenter WEIGHTS --out FOLDER
        [--only NAME…] [--seeds 3] [--set KEY=VALUE…] [--images 500] [--json FILE] [--plot FILE]
        [--times]

Each stage learns from the split "train" of DATASET on the frozen segmenter of WEIGHTS, with the
package's own configuration (`toyroom`, `toyroom_neck` for the paper's), and is evaluated on the
split "test" of DATASET2. Runs and scores that are in FOLDER already are not repeated. A pair is
distant when its boxes' centres are over a third of the image's width apart. Times are of untrained
stages, all measured in turn, so that other load of the machine is shared; with --times, nothing
else is done.
"""

import argparse
import json
import sys
import time
from collections.abc import Iterable
from itertools import islice
from pathlib import Path
from statistics import mean, median

import numpy as np
import torch
from class_pairs import are_distant
from compared_stages import SLOW, STAGES, configured, slug

from dsflash_ros.argument_types import positive
from dsflash_ros.bench.results import store
from dsflash_ros.bench.scaling import random_pairs
from dsflash_ros.data.psg import PsgDataset, Record
from dsflash_ros.errors import DSFlashError, missing_extra
from dsflash_ros.evaluation.matching import match_segments
from dsflash_ros.evaluation.metrics import RecallMetrics
from dsflash_ros.evaluation.prediction import predict
from dsflash_ros.evaluation.runner import PROTOCOLS
from dsflash_ros.files import replacing
from dsflash_ros.machine import machine
from dsflash_ros.model.assembly import DSFlash
from dsflash_ros.pipeline.options import Options
from dsflash_ros.pipeline.pipeline import SceneGraphPipeline
from dsflash_ros.text_tables import Row, show
from dsflash_ros.training.relations.train_relations import prepare_model, train_relations
from dsflash_ros.weights.loading import open_weights

SEGMENTS = (10, 20, 50)
ROUNDS = 15
SCORES = ("R@20", "R@50", "mR@20", "mR@50")


def train(args: argparse.Namespace, name: str, seed: int) -> Path:
    """Train a stage, unless that was done; returns its weights."""
    out = args.out / f"{slug(name)}-{seed}"
    weights = out / "last.safetensors"
    if not weights.exists():
        given = [f"seed={seed}", "val_split=none", f"feature_cache={args.out / 'cache'}"]
        train_relations(configured(name, [*of_all(args, out), *given], args.set))
    return weights


def of_all(args: argparse.Namespace, out: Path) -> list[str]:
    """What the configurations of all stages have in common."""
    return [f"dataset={args.dataset}", f"segmenter={args.segmenter}", f"out={out}"]


def evaluate(pipeline: SceneGraphPipeline, records: list[Record], protocol: str) -> Row:
    """Recall of all, of near and of distant relations, and of each predicate."""
    every, near, distant = (RecallMetrics(pipeline.vocabulary.predicates) for _ in range(3))
    for record in records:
        labels = record.labels()
        found = predict(pipeline, record, labels, protocol)
        matching = np.arange(len(record.class_ids))
        if protocol == "sgdet":
            matching = match_segments(labels, record.class_ids, found.labels, found.class_ids)
        pairs = record.relations[:, :2]
        is_far = are_distant(record, labels)[pairs[:, 0], pairs[:, 1]]
        chosen = ((every, slice(None)), (near, ~is_far), (distant, is_far))
        for metrics, kept in chosen:
            truth = record.relations[kept]
            metrics.add(truth, found.relations, matching, len(record.class_ids))
    results = every.results()
    row = {name: results[name] for name in (*SCORES, "mR@inf")}
    row |= {"near R@50": near.results()["R@50"], "distant R@50": distant.results()["R@50"]}
    per = {name: found["R@50"] for name, found in results["per_predicate"].items()}
    return row | {"per_predicate": per}


def measure_times(args: argparse.Namespace) -> list[Row]:
    """Sizes, and median milliseconds for all pairs of rectangles at random places, by stage."""
    vocabulary = open_weights(args.segmenter).header.vocabulary
    models = [
        prepare_model(configured(name, of_all(args, args.out), args.set), vocabulary)[0].eval()
        for name in args.only
    ]
    rows: list[Row] = [
        {"stage": name, "parameters": sum(p.numel() for p in model.relations.parameters())}
        for name, model in zip(args.only, models, strict=True)
    ]
    for segments in SEGMENTS:
        rounds = [[seconds(model, segments) for model in models] for _ in range(1 + ROUNDS)]
        for row, times in zip(rows, zip(*rounds[1:], strict=True), strict=True):
            row[f"ms at {segments}"] = round(1000 * median(times), 2)
    return rows


@torch.inference_mode()
def seconds(model: DSFlash, segments: int) -> float:
    """How long the relation stage took for all pairs of so many segments."""
    stage = model.relations
    inputs = random_pairs(stage, model.segmenter, model.config.num_classes, segments)
    options = {"pruning": True} if "pruning" in stage.options else {}
    start = time.perf_counter()
    stage(inputs._replace(prepared=stage.prepare(inputs.prepared)), 32, **options)
    return time.perf_counter() - start


def measured(args: argparse.Namespace, name: str, records: list[Record]) -> Row:
    """The row of a stage, from the folder where it is there."""
    path = args.out / f"{slug(name)}-{args.seeds}-{len(records)}.json"
    if not path.exists():
        row = measure(args, name, records)
        with replacing(path) as partial:
            partial.write_text(json.dumps(row))
    return json.loads(path.read_text())


def measure(args: argparse.Namespace, name: str, records: list[Record]) -> Row:
    """Scores of a stage, means over the seeds."""
    runs, spread = [], []
    options = Options(relation_threshold=0.0, max_relations=1000)
    for seed in range(1 if name in SLOW else args.seeds):
        pipeline = SceneGraphPipeline.from_weights(
            train(args, name, seed), device="cpu", precision="float32", options=options
        )
        runs.append({protocol: evaluate(pipeline, records, protocol) for protocol in PROTOCOLS})
        spread.append(runs[-1]["predcls"]["mR@50"])
    row: Row = {"stage": name, "seeds": len(runs)}
    for protocol in PROTOCOLS:
        for key in (*SCORES, "mR@inf", "near R@50", "distant R@50"):
            row[f"{protocol} {key}"] = _mean(run[protocol][key] for run in runs)
    row["predcls mR@50 spread"] = round(max(spread) - min(spread), 4)
    first = runs[0]["predcls"]["per_predicate"]
    row["per_predicate"] = {
        predicate: _mean(run["predcls"]["per_predicate"][predicate] for run in runs)
        for predicate in first
    }
    return row


def _mean(values: Iterable[float | None]) -> float | None:
    """None where there was nothing to find."""
    known = [value for value in values if value is not None]
    return round(mean(known), 4) if known else None


def draw(rows: list[Row], out: Path) -> None:
    """Scores and times of the stages as a picture."""
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise missing_extra("benchmarks", error) from error
    figure = Figure(figsize=(8, 1 + 0.45 * len(rows)), layout="constrained")
    scores, times = figure.subplots(1, 2, sharey=True, width_ratios=(3, 2))
    places = np.arange(len(rows))
    for shift, protocol in ((-0.2, "predcls"), (0.2, "sgdet")):
        values = [100 * row[f"{protocol} mR@50"] for row in rows]
        bars = scores.barh(places + shift, values, 0.38, label=f"{protocol} mR@50, %")
        scores.bar_label(bars, fmt="%.1f", fontsize=8)
    times.barh(places, [row["ms at 20"] for row in rows], 0.5, color="gray")
    times.set_xscale("log")
    times.set_xticks([1, 10, 100], ["1", "10", "100"])
    times.minorticks_off()
    times.set_xlabel("ms at 20 segments")
    scores.set_yticks(places, [row["stage"] for row in rows])
    scores.invert_yaxis()
    figure.legend(fontsize=8, loc="outside upper left", ncols=2)
    for axis in (scores, times):
        axis.spines[["top", "right"]].set_visible(False)
    with replacing(out) as partial:
        figure.savefig(partial, format="png", dpi=110)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("dataset", metavar="DATASET", help="psg.json or its folder: to learn from")
    parser.add_argument("--test", metavar="DATASET2", required=True, help="to evaluate on")
    parser.add_argument("--segmenter", default="toyroom", help="weights (default: toyroom)")
    parser.add_argument("--out", type=Path, required=True, help="folder of the runs")
    parser.add_argument("--only", nargs="+", choices=STAGES, default=list(STAGES), metavar="NAME")
    parser.add_argument("--seeds", type=positive, default=3, help="runs of a stage (default: 3)")
    parser.add_argument("--set", nargs="+", default=[], metavar="KEY=VALUE", help="for all runs")
    parser.add_argument("--images", type=positive, default=500, help="to test (default: 500)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="store everything there, too")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw a PNG there")
    parser.add_argument("--times", action="store_true", help="only measure times and sizes")
    return parser.parse_args()


def main() -> int:
    """Train, evaluate, print, store, draw."""
    args = parse()
    try:
        if args.times:
            show("relation stages", measure_times(args))
            return 0
        records = list(islice(PsgDataset.open(args.test, "test"), args.images))
        rows = [measured(args, name, records) for name in args.only]
        rows = [row | more for row, more in zip(rows, measure_times(args), strict=True)]
        shown = [{key: row[key] for key in row if key != "per_predicate"} for row in rows]
        show(f"relation stages on {len(records)} images", shown)
        if args.json:
            settings = {"images": len(records), "set": args.set}
            store(args.json, "relation_stages", settings, rows, machine())
        if args.plot:
            draw(rows, args.plot)
    except DSFlashError as error:
        print(f"relation_stages: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
