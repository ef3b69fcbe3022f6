"""Arguments that several subcommands have: the model and its options, the data set."""

import argparse
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from dsflash_ros.argument_types import positive
from dsflash_ros.errors import missing_extra
from dsflash_ros.option import Option, Value
from dsflash_ros.pipeline.options import FRAME_OPTIONS, MODEL_OPTIONS
from dsflash_ros.tracking.tracking_options import TRACKING_OPTIONS, TrackingOptions

TRACKING_NAMES = tuple(option.name for option in TRACKING_OPTIONS)
"""Of the arguments for tracking."""


def add_model_arguments(
    parser: argparse.ArgumentParser, later: Mapping[str, str] | None = None
) -> None:
    """Add what `pipeline_from` reads: an argument for each option of the pipeline.

    `later`: options that are None when not given, with what the help says of their default.
    """
    group = parser.add_argument_group("model")
    for option in (*MODEL_OPTIONS, *FRAME_OPTIONS):
        _add_option(group, option, (later or {}).get(option.name))


def add_option_arguments(group: argparse._ArgumentGroup, options: Iterable[Option]) -> None:
    """Add an argument for each option: `--relation-threshold` for `relation_threshold`."""
    for option in options:
        _add_option(group, option)


def _add_option(group: argparse._ArgumentGroup, option: Option, later: str | None = None) -> None:
    flag = "--" + option.name.replace("_", "-")
    if option.default is False:
        group.add_argument(flag, action="store_true", help=option.description)
        return
    if option.kind is tuple:
        text = f"{option.description} Separated by commas."
        group.add_argument(flag, default=(), type=_names, metavar="NAMES", help=text)
        return
    text = option.description
    if option.limits is not None:
        text += f" From {option.bounds}."
    if later or option.default != "":
        text += f" (default: {later or '%(default)s'})"
    metavars = {int: "N", float: "X"}
    group.add_argument(
        flag,
        default=None if later else option.default,
        type=_type_of(option),
        choices=option.choices or None,
        metavar=metavars.get(option.kind),
        help=text,
    )


def _names(text: str) -> tuple[str, ...]:
    """Names separated by commas."""
    return tuple(name.strip() for name in text.split(","))


def _type_of(option: Option) -> Callable[[str], Value]:
    """Reads the text of an argument. What the option does not accept is wrong usage."""

    def read(text: str) -> Value:
        try:
            value = option.kind(text)
        except ValueError:
            value = text
        if option.choices:
            return value  # argparse checks it
        try:
            option.check(value)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from error
        return value

    return read


def refuse(args: argparse.Namespace, names: Iterable[str], why: str) -> None:
    """Wrong usage when one of these arguments is given and would do nothing: `--size {why}`."""
    for name in names:
        if getattr(args, name) != args.parser.get_default(name):
            args.parser.error(f"--{name.replace('_', '-')} {why}")


def pipeline_from(args: argparse.Namespace, opened=None):
    """The `SceneGraphPipeline` that the arguments ask for.

    `opened` are its `OpenedWeights` where the caller has them already.
    """
    from dsflash_ros.pipeline.choice import pipeline_of

    return pipeline_of(vars(args), opened)


def tracking_from(args: argparse.Namespace) -> TrackingOptions:
    """The `TrackingOptions` that the arguments for `TRACKING_OPTIONS` ask for."""
    return TrackingOptions.of(vars(args))


def add_fleet_arguments(parser: argparse.ArgumentParser) -> argparse._ArgumentGroup:
    """Add `--ray` and `--ray-cores`; returns their group."""
    fleet = parser.add_argument_group("many bags, on many cores or machines (see docs/fleet.md)")
    fleet.add_argument(
        "--ray",
        nargs="?",
        const="",
        metavar="ADDRESS",
        help="split the work over a Ray cluster: HOST:PORT, or auto for that of this machine "
        "(default: Ray is started here)",
    )
    fleet.add_argument(
        "--ray-cores",
        type=positive,
        metavar="N",
        help="cores of each model; with GPUs each has one of them (default: 1)",
    )
    return fleet


def check_fleet_extra() -> None:
    """Raise `MissingExtraError` when Ray or fsspec is not installed."""
    try:
        import fsspec  # noqa: F401
        import ray  # noqa: F401
    except ImportError as error:
        raise missing_extra("fleet", error) from error


def add_dataset_arguments(parser: argparse.ArgumentParser, count: str | None = None) -> None:
    """Add what `dataset_from` reads, and `--limit`. `count`: "+" for a list of data sets."""
    parser.add_argument(
        "dataset",
        nargs=count,
        metavar="DATASET",
        help="psg.json, another file in its format, or its folder",
    )
    parser.add_argument("--split", default="test", help="train, val, test or all (default: test)")
    parser.add_argument(
        "--images", type=Path, metavar="DIR", help="folder of the images (default: beside the JSON)"
    )
    parser.add_argument(
        "--masks", type=Path, metavar="DIR", help="folder of the panoptic PNGs (default: beside it)"
    )
    parser.add_argument("--limit", type=positive, metavar="N", help="only the first N images")


def dataset_from(args: argparse.Namespace):
    """The `PsgDataset` that the arguments name. It has images."""
    from dsflash_ros.data.psg import PsgDataset
    from dsflash_ros.data.psg_json import SplitError
    from dsflash_ros.errors import DatasetError

    split = None if args.split == "all" else args.split
    try:
        return PsgDataset.open(args.dataset, split, args.images, args.masks)
    except SplitError as error:
        choices = ", ".join(f"--split {name}" for name in [*error.splits, "all"])
        raise DatasetError(f"{error}: give one of {choices}") from error


def output_files(args: argparse.Namespace, *names: str) -> list[Path | None]:
    """Where results go: the paths of the arguments of these names, None for those not given.

    Their folders are made. Raises `OutputError` for what is in the way, as `check_output` does,
    before the work begins; the same file twice is wrong usage.
    """
    from dsflash_ros.errors import OutputError
    from dsflash_ros.files import check_output, expand

    paths: dict[Path, str] = {}
    for name in names:
        given = getattr(args, name)
        if given is None:
            continue
        # --export has a format before its file
        text = given[-1] if isinstance(given, list) else given
        try:
            expand(text).parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(f"cannot write {text}: {error.strerror}") from error
        path = check_output(text, args.overwrite)
        if path in paths:
            args.parser.error(f"--{paths[path]} and --{name} cannot both write {path}")
        paths[path] = name
    found = {name: path for path, name in paths.items()}
    return [found.get(name) for name in names]
