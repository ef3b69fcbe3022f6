"""Get, convert, tune, pack and describe checkpoints.

An EoMT or Mask2Former with COCO's 133 panoptic classes needs no conversion by hand: wherever
weights are asked for, its hub id, folder or file will do, and the conversion is kept in the cache
(HF_HOME).
`convert` is for a file of one's own and for all that the checkpoint does not tell: names of other
classes, another image size, the DINOv3 that weights are differences to (Meta gives it to those who
accept its terms). The relation stage stays untrained. A DSFormer's neck and head go into a
checkpoint as a start. Downloads stay in the cache and are used without network afterwards.
`calibrate` measures on images that no training saw how often relations of each score are true, and
makes that their score; their order stays. `pack` halves the file of a trained model (float16, which
bfloat16 and float32 pipelines read, too) and writes into it what it reached. `thresholds` tries
mask_threshold and overlap_threshold on such images and writes those of the best segments (by the
mean of PQ and mR@inf) into the checkpoint, as what it is used with from then on. `open` lets
weights take words that they never learned as names (docs/open_vocabulary.md); known ones keep
their scores.

examples:
  dsflash weights fetch tue-mps/coco_panoptic_eomt_small_640_2x
  dsflash weights convert tue-mps/coco_panoptic_eomt_small_640_2x --out small.safetensors
  dsflash weights convert model_final.pkl --image-size 800 --out mask2former.safetensors
  dsflash weights convert delta.bin --base dinov3.pth --image-size 1280 --out large.safetensors
  dsflash weights convert last_state.pth --into small.safetensors --out start.safetensors
  dsflash weights thresholds best.safetensors toy --split val --out chosen.safetensors
  dsflash weights calibrate best.safetensors toy --split val --out calibrated.safetensors
  dsflash weights pack calibrated.safetensors --scores scores.json --out packed.safetensors
  dsflash weights open packed.safetensors --text-encoder sentence-transformers/all-MiniLM-L6-v2
      --words words.yaml --out open.safetensors
  dsflash weights info small.safetensors
  dsflash weights info toyroom                    the weights of the package
  dsflash weights info toyroom-onnx               what `dsflash export` wrote
"""

import argparse
import json
import shutil
from pathlib import Path

from dsflash_ros.cli.arguments import add_dataset_arguments, dataset_from
from dsflash_ros.cli.weights_convert import add_convert, run_convert
from dsflash_ros.cli.weights_open import add_open, run_open

HELP = "get, convert, tune, pack and describe checkpoints"

_ANY_SOURCE = "a file, a folder with one, a hub id such as a/b, or toyroom"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The actions, each with its own arguments."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    _add_fetch(actions)
    _add_out(add_convert(actions))
    _add_measured(actions, "thresholds", "choose the segmenter's thresholds")
    _add_measured(actions, "calibrate", "make scores of relations probabilities")
    _add_pack(actions)
    _add_out(add_open(actions, _ANY_SOURCE))
    info = actions.add_parser("info", help="say what a checkpoint is", allow_abbrev=False)
    info.add_argument("source", metavar="SOURCE", help=_ANY_SOURCE)
    info.add_argument("--json", action="store_true", help="print JSON")


def _add_fetch(actions) -> None:
    fetch = actions.add_parser(
        "fetch", help="download a checkpoint from the hub", allow_abbrev=False
    )
    fetch.add_argument("repo_id", metavar="ORG/NAME", help="repository on the hub")
    fetch.add_argument(
        "--file", help="which file (default: model.safetensors, else pytorch_model.bin)"
    )
    fetch.add_argument("--revision", help="branch, tag or commit (default: main)")
    fetch.add_argument("--sha256", metavar="HEX", help="what the file must have")
    fetch.add_argument("--out", type=Path, metavar="FILE", help="copy it there, too")
    fetch.add_argument("--overwrite", action="store_true", help="replace FILE")


def _add_measured(actions, name: str, what: str) -> None:
    """An action that runs the weights on a data set and stores what it found in a checkpoint."""
    action = actions.add_parser(name, help=what, allow_abbrev=False)
    action.add_argument("source", metavar="SOURCE", help=_ANY_SOURCE)
    add_dataset_arguments(action)
    action.add_argument(
        "--device", default="auto", help="auto, cpu, cuda or cuda:N (default: auto)"
    )
    _add_out(action)


def _add_pack(actions) -> None:
    pack = actions.add_parser(
        "pack", help="store a checkpoint in half precision, with its scores", allow_abbrev=False
    )
    pack.add_argument("source", metavar="SOURCE", help=_ANY_SOURCE)
    _add_out(pack)
    pack.add_argument(
        "--scores",
        action="append",
        default=[],
        metavar="JSON",
        help="of `dsflash eval --json` with SOURCE; repeatable",
    )


def _add_out(action: argparse.ArgumentParser) -> None:
    action.add_argument(
        "--out", type=Path, required=True, metavar="FILE", help="the new .safetensors file"
    )
    action.add_argument("--overwrite", action="store_true", help="replace FILE")


def run(args: argparse.Namespace) -> int:
    """Do the action."""
    actions = {
        "fetch": _fetch,
        "convert": lambda args: run_convert(args, _safetensors_file(args.out, args.overwrite)),
        "thresholds": _thresholds,
        "calibrate": _calibrate,
        "pack": _pack,
        "open": lambda args: run_open(args, _safetensors_file(args.out, args.overwrite)),
        "info": _info,
    }
    return actions[args.action](args)


def _fetch(args: argparse.Namespace) -> int:
    from dsflash_ros.conversion.checkpoint_files import sha256_of
    from dsflash_ros.errors import WeightsError
    from dsflash_ros.files import check_output, replacing
    from dsflash_ros.weights.hub import fetch

    out = check_output(args.out, args.overwrite) if args.out else None
    path = fetch(args.repo_id, args.file, args.revision, args.sha256)
    if out and path.name.endswith(".index.json"):
        raise WeightsError(
            f"{args.repo_id} is in several files, which stay in the cache ({path}); leave out --out"
        )
    if out:
        with replacing(out) as partial:
            shutil.copyfile(path, partial)
        path = out
    print(path)
    print(f"SHA-256 {sha256_of(path)}")
    print(f"what it is: dsflash weights info {path}")
    return 0


def _thresholds(args: argparse.Namespace) -> int:
    from dsflash_ros.evaluation.phrases import percent
    from dsflash_ros.evaluation.thresholds import choose_thresholds
    from dsflash_ros.text_tables import show

    out = _safetensors_file(args.out, args.overwrite)
    dataset = dataset_from(args)
    print(dataset.report())
    found = choose_thresholds(args.source, dataset, out, args.limit, args.device)
    names = ("mask_threshold", "overlap_threshold")
    rows = [
        dict(zip(names, map(str, pair), strict=True))
        | {"PQ": percent(quality.pq), "mR@inf": percent(quality.reachable)}
        for pair, quality in found.items()
    ]
    show("best first, %", rows)
    print(f"written, with the first: {out}")
    return 0


def _calibrate(args: argparse.Namespace) -> int:
    from dsflash_ros.evaluation.calibrate import calibrate
    from dsflash_ros.evaluation.phrases import percent

    out = _safetensors_file(args.out, args.overwrite)
    dataset = dataset_from(args)
    print(dataset.report())
    done = calibrate(args.source, dataset, out, args.limit, args.device)
    slope, intercept = done.calibration.slope, done.calibration.intercept
    print(f"scores in logits: times {slope:.3f}, plus {intercept:.3f}")
    print(
        f"calibration error on these images: {percent(done.before)} % before, "
        f"{percent(done.after)} % after"
    )
    print(f"written: {out}")
    return 0


def _pack(args: argparse.Namespace) -> int:
    from dsflash_ros.evaluation.pack import pack
    from dsflash_ros.evaluation.report import Report

    out = _safetensors_file(args.out, args.overwrite)
    pack(args.source, out, [Report.read(path) for path in args.scores])
    print(f"written: {out} ({out.stat().st_size / 1e6:.1f} MB)")
    return 0


def _safetensors_file(path: Path, overwrite: bool) -> Path:
    from dsflash_ros.errors import OutputError
    from dsflash_ros.files import check_output

    out = check_output(path, overwrite)
    if out.suffix != ".safetensors":
        raise OutputError(
            f"--out {out} will be a safetensors file: give a name that ends in .safetensors"
        )
    return out


def _info(args: argparse.Namespace) -> int:
    from dsflash_ros.weights.exported import is_exported, open_exported
    from dsflash_ros.weights.names import locate
    from dsflash_ros.weights.readable import readable

    path = locate(args.source)
    if is_exported(path):
        about = open_exported(path).describe()
    else:
        from dsflash_ros.weights.describe import describe

        about = describe(path)
    print(json.dumps(about, indent=2) if args.json else readable(about))
    return 0
