"""The curves of training runs that followed each other, as a picture.

    python benchmarks/training_curves.py RUN… [--out docs/training.png]

RUN is a folder that `dsflash train` wrote; give them in the order of the recipe: segmenter, finer
segmenter, relations. Each run has a column: the training loss above, the scores on the validation
split after each epoch below. Needs matplotlib, which is in the extra `benchmarks`.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import NamedTuple

import yaml

from dsflash_ros.errors import DSFlashError, TrainingError, missing_extra
from dsflash_ros.files import check_output, expand, replacing

SHOWN = ("val/PQ", "val/SQ", "val/RQ", "val/R@50", "val/mR@20", "val/mR@50")
"""Scores that are drawn, where a run has them."""

SELECTING = ("val/PQ", "val/mR@50")
"""Metrics that select the best checkpoint; they are drawn thick."""


class Run(NamedTuple):
    """A training run.

    Attributes:
        title: what was trained, in two lines.
        epochs: their numbers, from 1.
        curves: a value for each epoch, by name.
    """

    title: str
    epochs: list[int]
    curves: dict[str, list[float]]


def read_run(folder: Path) -> Run:
    """Read the folder of a run. Raises `TrainingError` if it is none, or no epoch has ended."""
    try:
        config = yaml.safe_load((folder / "config.yaml").read_text())
        lines = [json.loads(line) for line in (folder / "scores.jsonl").read_text().splitlines()]
        names = [name for name in ("train/loss", *SHOWN) if all(name in line for line in lines)]
        epochs = [line["epoch"] for line in lines]
        curves = {name: [line[name] for line in lines] for name in names}
        title = _title(config)
    except (OSError, ValueError, KeyError, TypeError, yaml.YAMLError) as error:
        reason = f"{type(error).__name__}: {error}"
        if isinstance(error, OSError):
            reason = str(error.strerror)
        raise TrainingError(
            f"{folder} is no folder of a training run ({' '.join(reason.split())})"
        ) from error
    if not epochs:
        raise TrainingError(f"no epoch of the run in {folder} has ended yet")
    return Run(title, epochs, curves)


def _title(config: dict) -> str:
    what = "relations"
    if "segmenter" not in config:
        what = f"segmenter, {config['image_size']} px"
    return f"{what}\nlr {config['lr']:g}, batches of {config['batch_size']}"


def draw(runs: list[Run], out: Path) -> None:
    """Write the picture.

    Raises `MissingExtraError` without matplotlib, `OutputError` when it cannot be written.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise missing_extra("benchmarks", error) from error
    figure = Figure(figsize=(1.5 + 3.3 * len(runs), 5.6), layout="constrained")
    axes = figure.subplots(2, len(runs), squeeze=False, sharex="col", height_ratios=(2, 3))
    for (loss, scores), run in zip(axes.T, runs, strict=True):
        _draw_run(run, loss, scores)
    axes[0, 0].set_ylabel("training loss")
    axes[1, 0].set_ylabel("validation, %")
    with replacing(out) as partial:
        figure.savefig(partial, format="png", dpi=110)


def _draw_run(run: Run, loss, scores) -> None:
    """Fill the two axes of a run's column."""
    marker = "." if len(run.epochs) < 40 else ""
    loss.set_title(run.title, fontsize=10)
    loss.plot(run.epochs, run.curves["train/loss"], color="black", marker=marker, linewidth=1.2)
    for name in SHOWN:
        if name not in run.curves:
            continue
        values = [100 * value for value in run.curves[name]]
        label = f"{name.removeprefix('val/')} {values[-1]:.1f}"
        width = 2.4 if name in SELECTING else 1.0
        scores.plot(run.epochs, values, marker=marker, linewidth=width, label=label)
    scores.set_ylim(0, 100)
    scores.set_xlabel("epoch")
    scores.xaxis.get_major_locator().set_params(integer=True)
    if scores.lines:
        scores.legend(loc="best", fontsize=8, title="at the end", title_fontsize=8)
    for axis in (loss, scores):
        axis.grid(alpha=0.3)
        axis.spines[["top", "right"]].set_visible(False)


def main() -> int:
    """Read the runs, draw them."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "runs", nargs="+", type=Path, metavar="RUN", help="folder of a training run"
    )
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("docs/training.png"),
        metavar="FILE",
        help="the PNG to write",
    )
    args = parser.parse_args()
    try:
        out = check_output(args.out, overwrite=True)
        draw([read_run(expand(run)) for run in args.runs], out)
    except DSFlashError as error:
        print(f"training_curves: {error}", file=sys.stderr)
        return 1
    print(f"written: {out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
