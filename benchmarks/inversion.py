"""What a diffusion model's inversion keeps of images, and what a calibration's teacher attends to.

    python benchmarks/inversion.py DIFFUSION DATASET [--images 16] [--steps 10 50]
        [--image-size 256] [--map-side 16] [--json FILE]

DIFFUSION is a folder of diffusers'. Errors are root mean squares over the latents' deviation, from
an image to noise and back:

DDIM            with the empty prompt both ways
O-BELM          the same, from two stored states
DDIM, prompt    the empty prompt to the noise, the image's caption back, by DDIM
O-BELM, prompt  the same, back by O-BELM, as a calibration's teacher does

Maps of attention are compared by L1, 0 to 2, with those of one pass on the image with its caption:

inversion       the teacher's at the end of its sampling
noise           the same, sampled from noise instead of the inverted image
at T            the teacher's at the beginning of its sampling
empty           one pass with the empty caption
flat            the image's own map, averaged over its places
"""

import argparse
import sys
from functools import partial
from itertools import islice
from pathlib import Path

import torch

from dsflash_ros.argument_types import positive
from dsflash_ros.bench.results import store
from dsflash_ros.data.psg import PsgDataset
from dsflash_ros.errors import DSFlashError
from dsflash_ros.machine import machine
from dsflash_ros.model.diffusion.attention_maps import recorded
from dsflash_ros.model.diffusion.deterministic_sampling import (
    ddim_invert,
    ddim_sample,
    obelm_invert,
    obelm_sample,
)
from dsflash_ros.model.diffusion.diffusion_folder import DiffusionFolder, open_diffusion
from dsflash_ros.model.diffusion.noise_levels import NoiseLevels
from dsflash_ros.text_tables import Row, show
from dsflash_ros.training.diffusion.calibration_loss import calibration_loss
from dsflash_ros.training.diffusion.examples import Examples, read_examples
from dsflash_ros.training.diffusion.teacher_maps import run_unet, teacher_map


@torch.inference_mode()
def measure(found: DiffusionFolder, examples: Examples, steps: int, side: int) -> Row:
    """Errors and distances with so many steps."""
    levels = NoiseLevels.of_scheduler(found.scheduler, steps)
    unet, images = found.encoder.unet, examples.latents.float()
    context = found.tokens([texts[0] for texts in examples.captions])
    nothing = found.tokens([""]).expand_as(context)
    empty, prompted = partial(run_unet, unet, nothing), partial(run_unet, unet, context)

    def error(back: torch.Tensor) -> float:
        return float((back - images).square().mean().sqrt() / images.std())

    noise = ddim_invert(images, empty, levels)
    last, second = obelm_invert(images, empty, levels)
    row: Row = {"steps": steps}
    row["DDIM"] = error(ddim_sample(noise, empty, levels))
    row["O-BELM"] = error(obelm_sample(last, empty, levels, second)[0])
    row["DDIM, prompt"] = error(ddim_sample(noise, prompted, levels))
    row["O-BELM, prompt"] = error(obelm_sample(noise, prompted, levels)[0])

    def one_pass(tokens: torch.Tensor) -> torch.Tensor:
        with recorded(unet) as maps:
            run_unet(unet, tokens, images, levels.times[1])
        return maps.mean(side)

    teacher = partial(teacher_map, unet, context=context, levels=levels, side=side)
    drawn = torch.randn(images.shape, generator=torch.Generator().manual_seed(0))
    own = one_pass(context)
    maps = {
        "inversion": teacher(noise),
        "noise": teacher(drawn),
        "at T": teacher(noise, at="noise"),
        "empty": one_pass(nothing),
        "flat": own.mean((2, 3), keepdim=True).expand_as(own),
    }
    row |= {name: float(calibration_loss(one, own)) for name, one in maps.items()}
    return {key: value if key == "steps" else float(f"{value:.3g}") for key, value in row.items()}


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("diffusion", metavar="DIFFUSION", help="folder of the diffusion model")
    parser.add_argument("dataset", metavar="DATASET", help="psg.json or its folder")
    parser.add_argument("--images", type=positive, default=16, help="(default: 16)")
    parser.add_argument("--steps", type=positive, nargs="+", default=[10, 50])
    parser.add_argument("--image-size", type=positive, default=256, help="(default: 256)")
    parser.add_argument("--map-side", type=positive, default=16, help="(default: 16)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="store everything there, too")
    return parser.parse_args()


def main() -> int:
    """Measure, print, store."""
    args = parse()
    try:
        dataset = PsgDataset.open(args.dataset)
        related = (record for record in dataset if len(record.relations))
        records = list(islice(related, args.images))
        found = open_diffusion(args.diffusion)
        latents, side = found.encoder.latents, found.encoder.embedding.side
        examples = read_examples(
            records, dataset.vocabulary, latents, found.tokens, args.image_size, side
        )
        rows = [measure(found, examples, steps, args.map_side) for steps in args.steps]
        show(f"inversion of {len(records)} images", rows)
        if args.json:
            settings = {"images": len(records), "image_size": args.image_size}
            store(args.json, "inversion", settings, rows, machine())
    except DSFlashError as error:
        print(f"inversion: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
