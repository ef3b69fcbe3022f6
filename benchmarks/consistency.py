"""What the consistency loss (Eq. 7) does: the relation stage trained with several weights of it.

    python benchmarks/consistency.py [--weights 0 0.01 1] [--epochs 60] [--json FILE]

Trains on a synthetic set (`dsflash_ros.data.shapes`), on the features of an untrained ViT, so that
masks and boxes are
what there is to learn from. Prints PredCls on other images of the set, and the direction gap: the
mean of |z_fwd(a, b) - z_bwd(b, a)| over the logits of related pairs, which is how much the answer
depends on which segment comes first.
"""

import argparse
import json
import tempfile
from pathlib import Path

import torch

from dsflash_ros.bench.results import store
from dsflash_ros.data.shapes import VOCABULARY, write_shapes
from dsflash_ros.machine import machine
from dsflash_ros.model.assembly import DSFlash
from dsflash_ros.model.checkpoints import Header, save_checkpoint
from dsflash_ros.model.config import ModelConfig
from dsflash_ros.text_tables import show
from dsflash_ros.training.configuration import RelationConfig
from dsflash_ros.training.relations.train_relations import train_relations

CONFIG = ModelConfig(
    "tiny",
    image_size=192,
    num_things=len(VOCABULARY.things),
    num_stuff=len(VOCABULARY.stuff),
    num_predicates=len(VOCABULARY.predicates),
    num_queries=10,
)


def main() -> None:
    """Train and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--weights", type=float, nargs="+", default=[0, 0.01, 1])
    parser.add_argument("--images", type=int, default=300)
    parser.add_argument("--epochs", type=int, default=60)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    on, rows = machine(), []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_shapes(folder / "data", args.images, test_share=1 / 3)
        torch.manual_seed(0)
        header = Header(
            CONFIG, VOCABULARY, trained=("segmenter",)
        )  # which is not so, but serves here
        save_checkpoint(folder / "segmenter.safetensors", DSFlash(CONFIG), header)
        for weight in args.weights:
            config = RelationConfig(
                dataset=str(folder / "data"),
                segmenter=str(folder / "segmenter.safetensors"),
                out=str(folder / f"run{weight}"),
                feature_cache=str(folder / "cache"),
                augmentation="none",
                neck_dim=96,
                neck_depth=2,
                neck_heads=4,
                epochs=args.epochs,
                batch_size=4,
                lr=2e-3,
                consistency_weight=weight,
                workers=0,
                device="cpu",
            )
            train_relations(config)
            last = json.loads(
                (folder / f"run{weight}" / "scores.jsonl").read_text().splitlines()[-1]
            )
            names = ("R@20", "R@50", "mR@50", "direction_gap")
            rows.append(
                {"weight of Eq. 7": str(weight), **{name: last[f"val/{name}"] for name in names}}
            )
    show(f"PredCls after {args.epochs} epochs of {args.images * 2 // 3} images, test split", rows)
    if args.json:
        settings = {key: value for key, value in vars(args).items() if key != "json"}
        store(args.json, "consistency", settings, rows, on)


if __name__ == "__main__":
    main()
