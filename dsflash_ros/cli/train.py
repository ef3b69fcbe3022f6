"""Train the segmenter, or the relation stage on a frozen segmenter.

CONFIG is a YAML file, or the name of a configuration that comes with the package; key=value changes
its settings. OUT (the setting `out`) gets best.safetensors and last.safetensors, which the pipeline
and the node load, the configuration, scores.jsonl, and curves for TensorBoard. After an interrupt,
--resume goes on after the last whole epoch, with the very numbers that an uninterrupted run would
have had.

examples:
  dsflash train segmenter small dataset=~/psg out=runs/segmenter start=timm
  dsflash train relations small dataset=~/psg segmenter=runs/segmenter/best.safetensors
  out=runs/relations dsflash train relations small dataset=~/psg segmenter=eomt.safetensors
  out=runs/relations --resume dsflash train relations small --show                    the settings
  that would be used tensorboard --logdir runs
"""

import argparse

HELP = "train the segmenter or the relation stage"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What to train, and how."""
    parser.add_argument("what", choices=("segmenter", "relations"), help="the stage to train")
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
        from dsflash_ros.training import configuration as configs

        kind = {"segmenter": configs.SegmenterConfig, "relations": configs.RelationConfig}[
            args.what
        ]
        missing = dict.fromkeys(
            ("dataset", "out", "segmenter")[: 3 - (args.what == "segmenter")], "..."
        )
        config = configs.load_config(
            kind, args.config, args.override, args.what, **(missing if args.show else {})
        )
        if args.show:
            print(configs.dump_config(config), end="")
            return 0
        if args.what == "segmenter":
            from dsflash_ros.training.segmenter.train_segmenter import train_segmenter as train
        else:
            from dsflash_ros.training.relations.train_relations import train_relations as train
        from dsflash_ros.training.run.fit import is_first_process
    except ImportError as error:
        raise missing_extra("train", error) from error
    best = train(config, args.resume)
    if is_first_process():
        print(f"best weights: {best}")
    return 0
