"""What calibrating a diffusion model is worth: SPADE's ablation, at toy size.

    python benchmarks/calibration.py DATASET --test DATASET2 --text FOLDER --out FOLDER
        [--only NAME…] [--seeds 1] [--unet-steps 1600] [--calibration KEY=VALUE…]
        [--relations KEY=VALUE…] [--train-images 800] [--images 200] [--json FILE]

A small diffusion model learns rooms and captions made from their graphs, on the split "train" of
DATASET, with the text encoder of transformers' in FOLDER (MiniLM's). It is calibrated in the
paper's variants; on the frozen features of each, relation stages learn from some of these images.
They are scored on the split "test" of DATASET2:

R@50, mR@50     PredCls of the base predicates: those that the calibration had seen
novel           macro accuracy of the novel ones, as in open_vocabulary.py: the share of related
                pairs whose predicate is told when only the novel names are offered
permuted        the same with the novel names' embeddings exchanged
all, novel      the same when all names are offered

The stages learn the base predicates alone, by an open head, and know no classes: what they know of
a segment is its features and its place. What is in the folder of --out already is not repeated.
"""

import argparse
import json
import shutil
import sys
from dataclasses import replace
from itertools import islice
from pathlib import Path
from statistics import mean

import numpy as np
import torch
from open_vocabulary import SPLITS, macro_accuracy
from relation_stages import SCORES, evaluate
from torch.utils.data import DataLoader

from dsflash_ros.argument_types import positive
from dsflash_ros.bench.results import store
from dsflash_ros.data.psg import PsgDataset, Record
from dsflash_ros.errors import DSFlashError
from dsflash_ros.files import write_whole
from dsflash_ros.graph.vocabulary import Vocabulary
from dsflash_ros.language.naming import embedded_predicates
from dsflash_ros.language.neural_encoders import open_encoder
from dsflash_ros.machine import machine
from dsflash_ros.model.assembly import DSFlash
from dsflash_ros.model.checkpoints import save_checkpoint
from dsflash_ros.model.config import ModelConfig
from dsflash_ros.model.diffusion.diffusion_folder import open_diffusion
from dsflash_ros.model.header import Header
from dsflash_ros.model.language import Language
from dsflash_ros.pipeline.options import Options
from dsflash_ros.pipeline.pipeline import SceneGraphPipeline
from dsflash_ros.text_tables import Row, show
from dsflash_ros.training.configuration import RelationConfig
from dsflash_ros.training.configuration_files import dump_config, load_config
from dsflash_ros.training.diffusion.calibrate_unet import LOSSES, MAPS, train_calibration
from dsflash_ros.training.diffusion.calibration_configuration import CalibrationConfig
from dsflash_ros.training.diffusion.toy_folder import make_toy_folder
from dsflash_ros.training.relations.held_out import base_first, renumbered
from dsflash_ros.training.relations.relation_data import RelationSamples, collate_relations
from dsflash_ros.training.relations.train_relations import train_relations
from dsflash_ros.training.run.out_folder import CONFIG
from dsflash_ros.training.segmenter.pretrained import load_backbone

VARIANTS = {
    "none": None,
    "full": {},
    "no inversion": {"start": "noise"},
    "no LoRA": {"rank": 0},
    "no features": None,
}
"""What differs from the calibration's settings; None: not calibrated. "no features" sees boxes."""

NOVEL = json.loads(SPLITS.read_text())["N1"]["novel"]
"""Predicates that neither the calibration's images nor the relation stages know."""

IMAGE_SIZE = 256

_QUICK = ["augmentation=none", "masks_from=truth", "precision=float32", "device=cpu", "workers=0"]
_QUICK += ["val_split=none", "epochs=6", "batch_size=4", "lr=1.0e-3", "ema_decay=0.99"]
_QUICK += ["negative_share=3"]


def calibrated(args: argparse.Namespace, name: str, folder: Path) -> Path | None:
    """The encoder of a variant, calibrated now unless it was; None: of the folder as it is."""
    changes = VARIANTS[name]
    if changes is None:
        return None
    out = args.out / f"calibration-{slug(name)}"
    weights = out / "calibrated.safetensors"
    if not weights.exists():
        given = [f"diffusion={folder}", f"dataset={args.dataset}", f"out={out}", *args.calibration]
        given += [f"{key}={value}" for key, value in changes.items()]
        config = load_config(CalibrationConfig, "toyroom", given, "calibration")
        same = args.out / "calibration-full" / MAPS
        if name == "no LoRA" and same.exists():  # its teacher is that of "full"
            out.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(same, out / MAPS)
            write_whole(out / CONFIG, dump_config(config))
        train_calibration(config, resume=(out / MAPS).exists())
    return weights


def slug(name: str) -> str:
    """The name of a variant as that of a file."""
    return name.replace(" ", "_")


def segmenter(args: argparse.Namespace, name: str) -> Path:
    """Weights whose segmenter has the encoder of a variant."""
    path = args.out / f"segmenter-{slug(name)}.safetensors"
    if not path.exists():
        vocabulary = PsgDataset.open(args.dataset, "train").vocabulary
        folder = args.out / "toy_diffusion"
        settings = {"dim": 32, "decoder_ffn": 32, "decoder_layers": 1}
        config = ModelConfig.for_vocabulary(
            vocabulary,
            segmenter="diffusion",
            backbone="toy",
            image_size=IMAGE_SIZE,
            num_queries=1,
            segmenter_settings=settings,
            relater="objects",
        )
        model = DSFlash(config)
        encoder = model.segmenter.encoder
        encoder.load_state_dict(open_diffusion(folder).encoder.state_dict())
        if weights := calibrated(args, name, folder):
            load_backbone(encoder, weights)
        # PredCls asks for the features alone, so its queries need not learn anything
        save_checkpoint(path, model, Header(config, vocabulary, trained=("segmenter",)))
    return path


def fewer_images(args: argparse.Namespace) -> Path:
    """The data set with its first `--train-images` images alone; its files stay where they are."""
    path = args.out / f"psg-{args.train_images}.json"
    if not path.exists():
        whole = json.loads(PsgDataset.open(args.dataset).path.read_text())
        tested = {*whole.get("test_image_ids", ()), *whole.get("val_image_ids", ())}
        chosen = [entry for entry in whole["data"] if entry["image_id"] not in tested]
        parts = {"data": chosen[: args.train_images], "test_image_ids": [], "val_image_ids": []}
        write_whole(path, json.dumps({**whole, **parts}))
    return path


def train(args: argparse.Namespace, name: str, seed: int) -> Path:
    """Train a relation stage on the features of a variant, unless that was done."""
    out = args.out / f"relations-{slug(name)}-{seed}"
    weights = out / "last.safetensors"
    if not weights.exists():
        parts = [] if name == "no features" else ["pooled", "contact"]
        data = PsgDataset.open(args.dataset, "train")
        given = [f"dataset={fewer_images(args)}", f"images={data.image_root}"]
        given += [f"masks={data.mask_root}", f"segmenter={segmenter(args, name)}", f"out={out}"]
        given += [f"seed={seed}", f"feature_cache={args.out / 'cache'}"]
        given += [f"text_encoder={args.text}", f"predicates_novel={json.dumps(NOVEL)}"]
        given += [f"relater_settings={json.dumps({'parts': parts, 'dropout': 0.1})}"]
        given += [*_QUICK, *args.relations]
        train_relations(load_config(RelationConfig, "toyroom", given, "relations"))
    return weights


def base_alone(records: list[Record], vocabulary: Vocabulary) -> list[Record]:
    """The images with their relations of base predicates, numbered without the novel ones."""
    base, numbers = base_first(vocabulary, NOVEL)
    kept = []
    for record in records:
        found = renumbered(record, numbers)
        known = found.relations[found.relations[:, 2] < len(base.predicates)]
        kept.append(replace(found, relations=known))
    return kept


@torch.inference_mode()
def told(args: argparse.Namespace, pipeline: SceneGraphPipeline, records: list[Record]) -> Row:
    """How many novel predicates are told by their words."""
    names = PsgDataset.open(args.test, "test").vocabulary.predicates
    segmenter, stage = pipeline.model.segmenter, pipeline.model.relations
    encoder = open_encoder(args.text)
    stage.name_predicates(embedded_predicates(encoder, Language("", encoder.sha256), names))
    samples = RelationSamples(
        records, pipeline.config, stage.cell, stage.grid, predicates=len(names)
    )
    logits, holds = [], []
    for batch in DataLoader(samples, 16, collate_fn=collate_relations):
        pairs, index = batch.relations[:, :2].unique(dim=0, return_inverse=True)
        prepared = stage.prepare(segmenter.features(batch.images.float() / 255))
        logits.append(stage.relate(batch.pair_inputs(prepared, pairs)).logits[:, 0, 1:])
        hold = np.zeros((len(pairs), len(names)), bool)
        hold[index.numpy(), batch.relations[:, 2].numpy()] = True
        holds.append(hold)
    scores, truth = torch.cat(logits).numpy(), np.concatenate(holds)
    novel = np.array([names.index(name) for name in NOVEL])
    return {
        "novel": macro_accuracy(novel[scores[:, novel].argmax(1)], truth, novel),
        "permuted": macro_accuracy(novel[scores[:, np.roll(novel, -1)].argmax(1)], truth, novel),
        "all, novel": macro_accuracy(scores.argmax(1), truth, novel),
    }


def measure(args: argparse.Namespace, name: str, records: list[Record]) -> Row:
    """Scores of a variant, means over the seeds, and how far its attention came."""
    options = Options(relation_threshold=0.0, max_relations=1000)
    vocabulary = PsgDataset.open(args.test, "test").vocabulary
    runs = []
    for seed in range(args.seeds):
        weights = train(args, name, seed)
        pipeline = SceneGraphPipeline.from_weights(
            weights, device="cpu", precision="float32", options=options
        )
        scores = evaluate(pipeline, base_alone(records, vocabulary), "predcls")
        runs.append(scores | told(args, pipeline, records))
    row: Row = {"calibration": name, "seeds": len(runs)}
    for key in (*SCORES, "near R@50", "distant R@50", "novel", "permuted", "all, novel"):
        row[key] = round(mean(run[key] for run in runs), 4)
    for key in ("R@50", "mR@50", "novel"):
        row[f"{key} spread"] = round(max(r[key] for r in runs) - min(r[key] for r in runs), 4)
    losses = args.out / f"calibration-{slug(name)}" / LOSSES
    steps = json.loads(losses.read_text()) if losses.exists() else []
    for key, part in (("L_cal first", steps[:10]), ("L_cal last", steps[-10:])):
        row[key] = round(mean(part), 4) if part else None
    row["per_predicate"] = {
        predicate: round(mean(run["per_predicate"][predicate] or 0.0 for run in runs), 4)
        for predicate in runs[0]["per_predicate"]
    }
    return row


def measured(args: argparse.Namespace, name: str, records: list[Record]) -> Row:
    """The row of a variant, from the folder where it is there."""
    path = args.out / f"row-{slug(name)}-{args.seeds}-{len(records)}.json"
    if not path.exists():
        write_whole(path, json.dumps(measure(args, name, records)))
    return json.loads(path.read_text())


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("dataset", metavar="DATASET", help="psg.json or its folder: to learn from")
    parser.add_argument("--test", metavar="DATASET2", required=True, help="to evaluate on")
    parser.add_argument("--text", metavar="FOLDER", required=True, help="text encoder, tokenizer")
    parser.add_argument("--out", type=Path, required=True, help="folder of everything that is made")
    parser.add_argument("--only", nargs="+", choices=VARIANTS, default=list(VARIANTS))
    parser.add_argument("--seeds", type=positive, default=1, help="relation stages (default: 1)")
    parser.add_argument("--unet-steps", type=positive, default=1600, help="(default: 1600)")
    parser.add_argument("--encoder-steps", type=positive, default=400, help="(default: 400)")
    parser.add_argument("--calibration", nargs="+", default=[], metavar="KEY=VALUE")
    parser.add_argument("--relations", nargs="+", default=[], metavar="KEY=VALUE")
    parser.add_argument(
        "--train-images", type=positive, default=800, help="for relation stages (default: 800)"
    )
    parser.add_argument("--images", type=positive, default=200, help="to test (default: 200)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="store everything there, too")
    return parser.parse_args()


def main() -> int:
    """Train, calibrate, evaluate, print, store."""
    args = parse()
    torch.set_num_threads(1)
    try:
        dataset = PsgDataset.open(args.dataset, "train")
        steps = args.unet_steps, args.encoder_steps
        make_toy_folder(dataset, args.text, args.out, IMAGE_SIZE, *steps)
        records = list(islice(PsgDataset.open(args.test, "test"), args.images))
        rows = [measured(args, name, records) for name in args.only]
        shown = [{key: row[key] for key in row if key != "per_predicate"} for row in rows]
        show(f"calibrations on {len(records)} images", shown)
        if args.json:
            settings = {"images": len(records), "relation stages' images": args.train_images}
            settings |= {"UNet steps": args.unet_steps}
            settings |= {"calibration": args.calibration, "relations": args.relations}
            store(args.json, "calibration", settings, rows, machine())
    except DSFlashError as error:
        print(f"calibration: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
