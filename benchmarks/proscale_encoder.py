"""What PRO-SCALE's encoder takes on this machine, all ways in turn in one process.

    python benchmarks/proscale_encoder.py --json benchmarks/results/my_machine_proscale.json

Stages (1, 1, 1) and (3, 3, 3) beside Mask2Former's six full layers; the light pixel embedding
beside the convolution; and deformable attention three ways: ours in bags, ours by `grid_sample`,
and transformers' (where it is installed). Freed memory is kept, as the node keeps it.
"""

import argparse
import time
from pathlib import Path

import torch

from dsflash_ros.bench.results import spread, store
from dsflash_ros.machine import machine
from dsflash_ros.model.segmenters.mask2former import deformable_attention as deformable
from dsflash_ros.model.segmenters.mask2former.mask2former_settings import Mask2FormerSettings
from dsflash_ros.model.segmenters.mask2former.pixel_decoder import PixelDecoder
from dsflash_ros.model.segmenters.mask2former.pixel_embedding import max_pool_3x3
from dsflash_ros.ros.process.memory import keep_freed_memory
from dsflash_ros.text_tables import show

CHANNELS = (96, 192, 384, 768)
ORIGINAL = {"pixel_embedding": "conv", "recalibration": "none"}


def encoders(side: int, device: str) -> dict:
    """Functions without arguments, by name: stages on projected maps, and pixel embeddings."""
    decoders = {
        "encoder (0, 0, 6)": PixelDecoder(CHANNELS, Mask2FormerSettings(0, 0, 6, **ORIGINAL)),
        "encoder (1, 1, 1)": PixelDecoder(CHANNELS, Mask2FormerSettings(1, 1, 1)),
        "encoder (3, 3, 3)": PixelDecoder(CHANNELS, Mask2FormerSettings(3, 3, 3)),
    }
    maps = [
        torch.randn(1, 256, side // stride, side // stride, device=device) for stride in (32, 16, 8)
    ]
    finest = torch.randn(1, CHANNELS[0], side // 4, side // 4, device=device)
    runs = {}
    for name, decoder in decoders.items():
        decoder.to(device).eval()
        runs[name] = lambda decoder=decoder: decoder.encode(maps)
    for name, kind in (("conv", "encoder (0, 0, 6)"), ("light", "encoder (1, 1, 1)")):
        embedding = decoders[kind].embedding
        runs[f"{name} pixel embedding"] = lambda part=embedding: part(finest, maps[-1])
    conv = decoders["encoder (0, 0, 6)"].embedding.conv
    lateral = decoders["encoder (0, 0, 6)"].embedding.lateral
    mixed = lateral(finest).detach()
    runs["3x3 convolution"] = lambda: conv(mixed)
    runs["3x3 maxima"] = lambda: max_pool_3x3(mixed)
    return runs


def attentions(side: int, device: str) -> dict:
    """Sampling of three maps, as one layer of (0, 0, 6) does it."""
    shapes = [(side // stride, side // stride) for stride in (32, 16, 8)]
    count = sum(height * width for height, width in shapes)
    values = torch.randn(1, count, 8, 32, device=device)
    offsets = torch.randn(1, count, 8, 3, 4, 2, device=device) * 2
    places = deformable.places_in(shapes, torch.device(device)).view(count, 1, 3, 1, 2) + offsets
    weights = torch.rand(1, count, 8, 12, device=device).softmax(-1).view(1, count, 8, 3, 4)
    runs = {
        "sampling in bags": lambda: deformable.sample_in_bags(values, places, weights, shapes),
        "sampling by grid_sample": lambda: deformable.sample_by_grid(
            values, places, weights, shapes
        ),
    }
    try:
        from transformers.models.mask2former import modeling_mask2former as theirs
    except ImportError:
        return runs
    sizes = torch.tensor([(width, height) for height, width in shapes], device=device)
    shares = (places + 0.5) / sizes.view(3, 1, 2)
    sample = theirs.multi_scale_deformable_attention
    runs["sampling by transformers"] = lambda: sample(values, shapes, shares, weights)
    return runs


@torch.inference_mode()
def measure(runs: dict, repeat: int, warm_up: int = 3) -> list[dict]:
    """A row for each, run in turn."""
    times = {name: [] for name in runs}
    for number in range(warm_up + repeat):
        for name, run in runs.items():
            start = time.perf_counter()
            run()
            if torch.cuda.is_available():
                torch.cuda.synchronize()
            if number >= warm_up:
                times[name].append(1e3 * (time.perf_counter() - start))
    return [{"what": name, **spread(values)} for name, values in times.items()]


def main() -> None:
    """Measure, print, store."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--side", type=int, default=384, help="of the image, pixels")
    parser.add_argument("--repeat", type=int, default=20)
    parser.add_argument("--threads", type=int, default=0, help="0: as PyTorch chooses")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    if args.threads:
        torch.set_num_threads(args.threads)
    keep_freed_memory()
    torch.manual_seed(0)
    runs = encoders(args.side, args.device) | attentions(args.side, args.device)
    rows = measure(runs, args.repeat)
    show(f"{args.side} pixels on {args.device}, {torch.get_num_threads()} threads, ms", rows)
    median = {row["what"]: row["median ms"] for row in rows}
    for over, under in (
        ("encoder (3, 3, 3)", "encoder (0, 0, 6)"),
        ("encoder (1, 1, 1)", "encoder (0, 0, 6)"),
        ("light pixel embedding", "conv pixel embedding"),
        ("3x3 maxima", "3x3 convolution"),
        ("sampling in bags", "sampling by grid_sample"),
        ("sampling in bags", "sampling by transformers"),
    ):
        if under in median:
            print(f"{over} / {under}: {median[over] / median[under]:.3f}")
    if args.json:
        settings = {key: value for key, value in vars(args).items() if key != "json"}
        store(args.json, "proscale_encoder", settings, rows, machine())


if __name__ == "__main__":
    main()
