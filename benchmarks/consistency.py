"""What the consistency loss (Eq. 7) does: the relation stage trained with several weights of it.

    python benchmarks/consistency.py [--weights 0 0.01 1] [--epochs 60] [--json FILE]

Trains on a synthetic data set (`dsflash_ros.data.shapes`) and on the features of an untrained ViT,
so that there is little to learn from but masks and boxes. Prints PredCls on other images of the set
and the direction gap: the mean of |z_fwd(a, b) - z_bwd(b, a)| over the logits of related pairs. It
tells how much the answer depends on which segment comes first.
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
from dsflash_ros.text_tables import Row, show
from dsflash_ros.training.configuration import RelationConfig
from dsflash_ros.training.relations.train_relations import train_relations

CONFIG = ModelConfig.for_vocabulary(
    VOCABULARY,
    size="tiny",
    image_size=192,
    num_queries=10,
)
SCORES = ("R@20", "R@50", "mR@50", "direction_gap")


def save_untrained_segmenter(path: Path) -> None:
    """Its header says that it is trained, or no relation stage would be trained on it."""
    torch.manual_seed(0)
    save_checkpoint(path, DSFlash(CONFIG), Header(CONFIG, VOCABULARY, trained=("segmenter",)))


def train(folder: Path, weight: float, epochs: int) -> Row:
    """Train the relation stage with that weight of Eq. 7. Returns the last epoch's scores."""
    out = folder / f"run{weight}"
    config = RelationConfig(
        dataset=str(folder / "data"),
        segmenter=str(folder / "segmenter.safetensors"),
        out=str(out),
        feature_cache=str(folder / "cache"),
        augmentation="none",
        neck_dim=96,
        neck_depth=2,
        neck_heads=4,
        epochs=epochs,
        batch_size=4,
        lr=2e-3,
        consistency_weight=weight,
        workers=0,
        device="cpu",
    )
    train_relations(config)
    last = json.loads((out / "scores.jsonl").read_text().splitlines()[-1])
    return {"weight of Eq. 7": str(weight)} | {name: last[f"val/{name}"] for name in SCORES}


def main() -> None:
    """Train with each weight, print, store."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--weights", type=float, nargs="+", default=[0, 0.01, 1])
    parser.add_argument("--images", type=int, default=300)
    parser.add_argument("--epochs", type=int, default=60)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    on = machine()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_shapes(folder / "data", args.images, test_share=1 / 3)
        save_untrained_segmenter(folder / "segmenter.safetensors")
        rows = [train(folder, weight, args.epochs) for weight in args.weights]
    show(f"PredCls after {args.epochs} epochs of {args.images * 2 // 3} images, test split", rows)
    if args.json:
        settings = {key: value for key, value in vars(args).items() if key != "json"}
        store(args.json, "consistency", settings, rows, on)


if __name__ == "__main__":
    main()
