"""Train the segmenter, or the relation stage on a frozen segmenter; calibrate a diffusion model.

CONFIG is a YAML file, or the name of a configuration that comes with the package; KEY=VALUE changes
its settings. The folder `out` gets best.safetensors and last.safetensors, which the pipeline and
the node load, the configuration, scores.jsonl, and curves for TensorBoard. After an interrupt,
--resume goes on after the last whole epoch, with the numbers that an uninterrupted run would have
had. A calibration writes calibrated.safetensors, from which a segmenter "diffusion" starts; with
--resume it keeps what it has computed of the teacher.

examples:
  dsflash train segmenter small dataset=~/psg out=runs/segmenter start=timm
  dsflash train relations small dataset=~/psg segmenter=eomt.safetensors out=runs/relations
  dsflash train relations small dataset=~/psg segmenter=eomt.safetensors out=runs/relations --resume
  dsflash train relations small --show            the settings that would be used
  dsflash train calibration stable diffusion=FOLDER dataset=~/psg out=runs/calibration
  tensorboard --logdir runs
"""

import argparse

HELP = "train the segmenter or the relation stage, or calibrate a diffusion model"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What to train, and how."""
    stages = ("segmenter", "relations", "calibration")
    parser.add_argument("what", choices=stages, help="the stage to train")
    parser.add_argument("config", metavar="CONFIG", help="YAML file, or tiny, small, base, large")
    parser.add_argument(
        "override", nargs="*", metavar="KEY=VALUE", help="settings that differ from the file's"
    )
    parser.add_argument("--resume", action="store_true", help="go on with the run that is in `out`")
    parser.add_argument("--show", action="store_true", help="print the settings and do nothing")


def run(args: argparse.Namespace) -> int:
    """Train."""
    from dsflash_ros.errors import missing_extra

    try:
        if args.show:
            return _show(args)
        train, config = _prepare(args)
        from dsflash_ros.training.run.fit import is_first_process
    except ImportError as error:
        raise missing_extra("train", error) from error
    best = train(config, args.resume)
    if is_first_process():
        print(f"{'calibrated' if args.what == 'calibration' else 'best weights'}: {best}")
    return 0


def _show(args: argparse.Namespace) -> int:
    """Print the settings, `...` for those that must be given and are not."""
    from dsflash_ros.training.configuration_files import dump_config, load_config

    missing = {"dataset": "...", "out": "..."}
    missing |= {"relations": {"segmenter": "..."}, "calibration": {"diffusion": "..."}}.get(
        args.what, {}
    )
    config = load_config(_kind(args.what), args.config, args.override, args.what, **missing)
    print(dump_config(config), end="")
    return 0


def _prepare(args: argparse.Namespace) -> tuple:
    """The function that trains, and its configuration."""
    from dsflash_ros.training.configuration_files import load_config

    config = load_config(_kind(args.what), args.config, args.override, args.what)
    if args.what == "segmenter":
        from dsflash_ros.training.segmenter.train_segmenter import train_segmenter as train
    elif args.what == "relations":
        from dsflash_ros.training.relations.train_relations import train_relations as train
    else:
        from dsflash_ros.training.diffusion.calibrate_unet import train_calibration as train
    return train, config


def _kind(what: str) -> type:
    """The class of the configuration."""
    from dsflash_ros.training.configuration import RelationConfig, SegmenterConfig
    from dsflash_ros.training.diffusion.calibration_configuration import CalibrationConfig

    return {
        "segmenter": SegmenterConfig,
        "relations": RelationConfig,
        "calibration": CalibrationConfig,
    }[what]
