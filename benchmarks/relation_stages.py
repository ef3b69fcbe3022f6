"""Relation stages compared: what each part of one is worth, and what it costs.

    python benchmarks/relation_stages.py DATASET --test DATASET2 --segmenter WEIGHTS --out FOLDER
        [--only NAME…] [--seeds 3] [--set KEY=VALUE…] [--images 500] [--json FILE] [--plot FILE]

Each stage learns from the split "train" of DATASET on the frozen segmenter of WEIGHTS, with the
package's own configuration (`toyroom` for the kind "objects", `toyroom_neck` for the paper's), and
is evaluated on the split "test" of DATASET2. Runs and scores that are in FOLDER already are not
repeated. A pair is distant when its boxes' centres are over a third of the image's width apart.
"""

import argparse
import json
import sys
import time
from collections.abc import Iterable
from importlib import resources
from itertools import islice
from pathlib import Path
from statistics import mean, median

import numpy as np
import torch
import yaml

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
from dsflash_ros.graph.label_maps import label_boxes
from dsflash_ros.machine import machine
from dsflash_ros.model.relaters.relater import RelationStage
from dsflash_ros.model.segmenters.segmenter import Segmenter
from dsflash_ros.pipeline.options import Options
from dsflash_ros.pipeline.pipeline import SceneGraphPipeline
from dsflash_ros.text_tables import Row, show
from dsflash_ros.training.configuration import RelationConfig, load_config
from dsflash_ros.training.relations.train_relations import train_relations

OBJECTS = {
    "boxes": [],
    "classes": ["class"],
    "classes, graph": ["class", "graph"],
    "pooled": ["pooled"],
    "pooled, contact": ["pooled", "contact"],
    "pooled, contact, graph": ["pooled", "contact", "graph"],
    "classes, pooled, contact": ["class", "pooled", "contact"],
    "objects": ["class", "pooled", "contact", "graph"],
    "objects and neck": ["class", "pooled", "contact", "graph", "neck"],
}
"""Parts of the kind "objects", by the name of the stage. The first three see no pixels."""

NECKS = {"paper's neck": 3, "neck, finer cells": 2}
"""Features along one side of a patch, by the name of the stage."""

STAGES = (*OBJECTS, *NECKS)
SLOW = ("objects and neck", *NECKS)
"""Trained once, not with several seeds."""

_SMALL_NECK = ["neck_dim=128", "neck_depth=3", "neck_heads=4", "pruning=random"]
_SMALL_NECK += ["negative_share=0.5", "pairs_at_once=64"]
"""What the configuration `toyroom_neck` has, for the kind "objects" with a neck; all pairs would
take days.
"""

SEGMENTS = (10, 20, 50)
FAR = 1 / 3
SCORES = ("R@20", "R@50", "mR@20", "mR@50")


def train(args: argparse.Namespace, name: str, seed: int) -> Path:
    """Train a stage, unless that was done; returns its weights."""
    out = args.out / f"{slug(name)}-{seed}"
    weights = out / "last.safetensors"
    if not weights.exists():
        given = [f"dataset={args.dataset}", f"segmenter={args.segmenter}", f"out={out}"]
        given += [f"seed={seed}", "val_split=none", f"feature_cache={args.out / 'cache'}"]
        kind = "toyroom_neck" if name in NECKS else "toyroom"
        settings = {"patch": NECKS[name]} if name in NECKS else _settings(OBJECTS[name])
        given.append(f"relater_settings={json.dumps(settings)}")
        given += _SMALL_NECK if "neck" in settings.get("parts", ()) else []
        config = load_config(RelationConfig, kind, [*given, *args.set], "relations")
        train_relations(config)
    return weights


def slug(name: str) -> str:
    """The name of a stage as that of a file."""
    return name.replace(", ", "-").replace(" ", "_")


def _settings(parts: list[str]) -> dict:
    """Those of the configuration, with other parts."""
    path = resources.files("dsflash_ros") / "resources/train/relations/toyroom.yaml"
    return {**yaml.safe_load(path.read_text()).get("relater_settings", {}), "parts": parts}


def distances(record: Record, labels: np.ndarray) -> np.ndarray:
    """(S, S) float: between the centres of segments' boxes, as shares of the image's width."""
    boxes = label_boxes(labels, len(record.class_ids))
    centres = (boxes[:, :2] + boxes[:, 2:]) / 2
    return np.linalg.norm(centres[:, None] - centres, axis=-1) / record.width


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
        is_far = distances(record, labels)[pairs[:, 0], pairs[:, 1]] > FAR
        chosen = ((every, slice(None)), (near, ~is_far), (distant, is_far))
        for metrics, kept in chosen:
            truth = record.relations[kept]
            metrics.add(truth, found.relations, matching, len(record.class_ids))
    results = every.results()
    row = {name: results[name] for name in (*SCORES, "mR@inf")}
    row |= {"near R@50": near.results()["R@50"], "distant R@50": distant.results()["R@50"]}
    per = {name: found["R@50"] for name, found in results["per_predicate"].items()}
    return row | {"per_predicate": per}


@torch.inference_mode()
def milliseconds(stage: RelationStage, segmenter: Segmenter, classes: int, segments: int) -> float:
    """Median time for all pairs of so many segments, rectangles at random places."""
    inputs = random_pairs(stage, segmenter, classes, segments)
    options = {"pruning": True} if "pruning" in stage.options else {}
    times = []
    for _ in range(30 if segments <= 20 else 10):
        start = time.perf_counter()
        stage(inputs._replace(prepared=stage.prepare(inputs.prepared)), 32, **options)
        times.append(time.perf_counter() - start)
    return 1000 * median(times)


def measured(args: argparse.Namespace, name: str, records: list[Record]) -> Row:
    """The row of a stage, from the folder where it is there."""
    path = args.out / f"{slug(name)}-{args.seeds}-{len(records)}.json"
    if not path.exists():
        row = measure(args, name, records)
        with replacing(path) as partial:
            partial.write_text(json.dumps(row))
    return json.loads(path.read_text())


def measure(args: argparse.Namespace, name: str, records: list[Record]) -> Row:
    """Scores (means over the seeds), size and times of a stage."""
    runs, spread = [], []
    options = Options(relation_threshold=0.0, max_relations=1000)
    for seed in range(1 if name in SLOW else args.seeds):
        pipeline = SceneGraphPipeline.from_weights(
            train(args, name, seed), device="cpu", precision="float32", options=options
        )
        runs.append({protocol: evaluate(pipeline, records, protocol) for protocol in PROTOCOLS})
        spread.append(runs[-1]["predcls"]["mR@50"])
    model = pipeline.model
    row: Row = {"stage": name, "seeds": len(runs)}
    for protocol in PROTOCOLS:
        for key in (*SCORES, "mR@inf", "near R@50", "distant R@50"):
            row[f"{protocol} {key}"] = _mean(run[protocol][key] for run in runs)
    row["predcls mR@50 spread"] = round(max(spread) - min(spread), 4)
    row["parameters"] = sum(p.numel() for p in model.relations.parameters())
    for count in SEGMENTS:
        time_ms = milliseconds(model.relations, model.segmenter, pipeline.config.num_classes, count)
        row[f"ms at {count}"] = round(time_ms, 2)
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
    times.set_xlabel("ms at 20 segments, two cores")
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
    return parser.parse_args()


def main() -> int:
    """Train, evaluate, print, store, draw."""
    args = parse()
    try:
        records = list(islice(PsgDataset.open(args.test, "test"), args.images))
        rows = [measured(args, name, records) for name in args.only]
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
