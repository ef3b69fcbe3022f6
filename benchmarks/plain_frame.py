"""A whole frame beside what it would be of the plain parts: transformers' EoMT and DSFormer.

    python benchmarks/plain_frame.py [--size small] [--repeat 10] [--precision float32]
                                     [--json FILE]

The plain frame is transformers' image processor, EoMT of the same size and post-processing, then
DSFormer's relation stage for all pairs of 10 segments in both directions (`dsflash bench relations`
says what it is). Ours is the pipeline with the weights `random-SIZE`, which finds `segments` in the
same image, with and without pruning. All weights are random, all take turns. `plain / it` is the
median over the turns. (transformers' model finds hardly any segment, which makes it faster.)
"""

import argparse
from pathlib import Path
from statistics import median

import numpy as np
import torch

from dsflash_ros.argument_types import positive
from dsflash_ros.bench.dsformer import CHANNELS, SIDE, STRIDE, DSFormerStage
from dsflash_ros.bench.frame import noise
from dsflash_ros.bench.relations import SEGMENTS, make_scene
from dsflash_ros.bench.results import spread, store
from dsflash_ros.bench.turns import in_turn
from dsflash_ros.graph.scene_graph import SceneGraph
from dsflash_ros.machine import machine
from dsflash_ros.pipeline.options import Options
from dsflash_ros.pipeline.pipeline import SceneGraphPipeline
from dsflash_ros.text_tables import Row, show

WIDTHS = {"small": (384, 6, 12, 3), "base": (768, 12, 12, 3), "large": (1024, 16, 24, 4)}
"""Of EoMT's sizes: width, heads, layers, and layers that see the queries."""

PLAIN = ("transformers' EoMT", "DSFormer's stage")

COMMON = {"max_segments": SEGMENTS, "mask_threshold": 0.3, "overlap_threshold": 0.3}
"""With which random weights find as many segments."""

OURS = {"ours": Options(**COMMON), "ours, pruned": Options(**COMMON, pruning=True)}


def plain_segmenter(size: str, classes: int, dtype: torch.dtype):
    """A function of an image, as a user of transformers writes it."""
    from transformers import EomtConfig, EomtForUniversalSegmentation, EomtImageProcessor

    width, heads, depth, blocks = WIDTHS[size]
    config = EomtConfig(
        hidden_size=width,
        num_attention_heads=heads,
        num_hidden_layers=depth,
        num_blocks=blocks,
        num_labels=classes,
    )
    model = EomtForUniversalSegmentation(config).to(dtype).eval()
    model.attn_mask_probs.zero_()  # as published weights have it: no mask is computed between
    processor = EomtImageProcessor(do_pad=True)

    def segment(rgb):
        given = processor(images=rgb, return_tensors="pt")
        found = model(pixel_values=given["pixel_values"].to(dtype))
        return processor.post_process_panoptic_segmentation(found, target_sizes=[rgb.shape[:2]])

    return segment


def our_frame(pipeline: SceneGraphPipeline, rgb: np.ndarray, options: Options) -> SceneGraph:
    """The graph with these options."""
    pipeline.options = options
    return pipeline(rgb)


def measure(size: str, precision: str, repeat: int) -> list[Row]:
    """A row for each part of the plain frame, and for ours."""
    torch.manual_seed(0)
    pipeline = SceneGraphPipeline.from_weights(f"random-{size}", precision=precision, device="cpu")
    dtype = getattr(torch, pipeline.precision)
    segment = plain_segmenter(size, pipeline.config.num_classes, dtype)
    stage = DSFormerStage(pipeline.config.num_classes).to(dtype).eval()
    scene = make_scene(CHANNELS, STRIDE, SIDE)
    scene = scene._replace(features=scene.features.to(dtype))
    rgb = next(noise(640, 480))
    works = {PLAIN[0]: lambda: segment(rgb), PLAIN[1]: lambda: stage(*scene, pairs_at_once=32)}
    segments: Row = {PLAIN[0]: "-", PLAIN[1]: SEGMENTS}
    for name, options in OURS.items():
        works[name] = lambda options=options: our_frame(pipeline, rgb, options)
        segments[name] = len(our_frame(pipeline, rgb, options).nodes)
    times = in_turn(pipeline.backend, works, repeat)
    plain = [sum(parts) for parts in zip(*(times[name] for name in PLAIN), strict=True)]
    rows = []
    for name, own in {**times, "plain": plain}.items():
        ratio = median(a / b for a, b in zip(plain, own, strict=True))
        known = {"segments": segments.get(name, SEGMENTS)}
        rows.append({"frame": name, **known, **spread(own), "plain / it": round(ratio, 2)})
    return rows


def main() -> None:
    """Measure, print, store."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", choices=WIDTHS, default="small")
    parser.add_argument("--precision", choices=("float32", "bfloat16"), default="float32")
    parser.add_argument("--repeat", type=positive, default=10)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    on = machine()
    rows = measure(args.size, args.precision, args.repeat)
    show(f"{args.size} at 640 pixels in {args.precision}, ms", rows)
    if args.json:
        settings = {key: value for key, value in vars(args).items() if key != "json"}
        store(args.json, "plain_frame", settings, rows, on)


if __name__ == "__main__":
    main()
