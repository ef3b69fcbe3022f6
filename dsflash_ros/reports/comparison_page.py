"""The page of `dsflash compare --report`."""

from pathlib import Path

from dsflash_ros.evaluation.compared_frames import FramePair, NameCounts
from dsflash_ros.evaluation.run_comparison import RunComparison
from dsflash_ros.evaluation.runs import Place, Run, microseconds
from dsflash_ros.reports import plots
from dsflash_ros.reports.page import percent, write_page
from dsflash_ros.reports.run_folders import setting_differences, short_names
from dsflash_ros.reports.run_pictures import pictures_of
from dsflash_ros.reports.thumbnails import data_uri, spread

WORST = 8

PICTURED = 60
"""Frames that have pictures besides the worst, at most."""

DESCRIBED = 2000
"""Frames up to which each has the names of what changed; in longer runs those with pictures do."""

_SHOWN = 12
"""Predicates in the plot of recall; all are in the table."""


def write_comparison(
    path: Path,
    found: RunComparison,
    folders: tuple[Path, Path],
    runs: tuple[Run, Run],
    truth: Path | None = None,
) -> None:
    """Write a comparison as a page.

    Args:
        path: of the HTML file.
        found: what `compare_runs` found.
        folders: of both runs, with their pictures.
        runs: that were compared.
        truth: the bag with the truth, where there is one.

    Raises:
        OutputError: the file cannot be written.
        MissingExtraError: jinja2 or plotly is not installed.
    """
    worst = _worst(found)
    frames = _frames(found, folders, runs, worst)
    tables = [
        ("predicates", "Predicates", "per_predicate", _rows(found.per_predicate)),
        ("classes", "Classes", "per_class", _rows(found.per_class)),
    ]
    write_page(
        path,
        "comparison.html",
        _plots(found, [int(number) for number in frames["pictures"]]),
        found={**vars(found), "scores": _verdicts(found)},
        names=short_names(folders),
        runs=[str(folder) for folder in folders],
        truth="" if truth is None else str(truth),
        settings=setting_differences(*folders),
        frames=frames,
        worst=[
            {"number": number, "name": frames["names"][number], "words": words}
            for number, words in worst.items()
        ],
        tables=tables,
        changed={
            "appeared": found.appeared.most_common(),
            "vanished": found.vanished.most_common(),
        },
    )


def _verdicts(found: RunComparison) -> dict[str, dict]:
    """The scores, each with `verdict` (better, worse or unsure) and the `words` for it."""
    verdicts = {}
    for name, one in found.scores.items():
        verdict = one.verdict if one.is_sure else "unsure"
        verdicts[name] = {**one.to_json(), "verdict": verdict, "words": one.verdict}
    return verdicts


def _worst(found: RunComparison) -> dict[int, str]:
    """The numbers of the frames where the second is most behind, or both differ most; and why."""
    if found.scores:
        losses = [frame.loss or 0.0 for frame in found.series]
    else:
        losses = [0.0 if f.same_relations is None else 1 - f.same_relations for f in found.series]
    order = sorted(range(len(losses)), key=lambda number: -losses[number])[:WORST]
    words = {}
    for number in order:
        frame = found.series[number]
        if losses[number] <= 0:
            break
        if found.scores:
            before, after = map(percent, frame.relations)
            words[number] = f"F1 of relations {before} to {after}"
        else:
            words[number] = f"{percent(frame.same_relations)} of the relations alike"
    return words


def _frame_names(series: list[FramePair]) -> list[str]:
    """Stamps, and what the frames are of where they are not all of the same."""
    stamps = [f"{frame.stamp:.3f} s" for frame in series]
    if len({frame.source for frame in series}) == 1:
        return stamps
    return [f"{stamp}, {frame.source}" for stamp, frame in zip(stamps, series, strict=True)]


def _plots(found: RunComparison, pictured: list[int]) -> dict[str, dict]:
    series = found.series
    if found.scores:
        lines = {
            f"F1 of relations, {side}": [frame.relations[k] for frame in series]
            for k, side in enumerate(("before", "after"))
        }
        colours, limits = [None if f.loss is None else -f.loss for f in series], (-0.5, 0.5)
    else:
        colours, limits = [frame.same_relations for frame in series], (0.0, 1.0)
        lines = {
            "relations alike": colours,
            "objects alike": [frame.same_objects for frame in series],
        }
    names = _frame_names(series)
    figures = {
        "timeline-plot": plots.timeline(names, lines, colours, limits, sorted(pictured)),
        "recall-plot": _recall_plot(found),
        "latency-plot": plots.histogram(
            {side: [f.latency_ms[k] for f in series] for k, side in enumerate(("before", "after"))}
        ),
    }
    if found.scores:
        sides = zip(("before", "after"), found.score_bins, strict=True)
        figures["calibration-plot"] = plots.calibration(dict(sides))
    return figures


def _recall_plot(found: RunComparison) -> dict:
    """Recall by predicate; without a truth the share of the relations that the other tells, too."""
    shown = dict(list(found.per_predicate.items())[:_SHOWN])
    if found.scores:
        shown = {name: counts for name, counts in shown.items() if counts.true}
        sides = {
            "before": [_share(counts.first_right, counts.true) for counts in shown.values()],
            "after": [_share(counts.second_right, counts.true) for counts in shown.values()],
        }
        return plots.bars(list(shown), sides, "recall")
    sides = {
        "of those before": [_share(counts.both, counts.first) for counts in shown.values()],
        "of those after": [_share(counts.both, counts.second) for counts in shown.values()],
    }
    return plots.bars(list(shown), sides, "told by both")


def _rows(counted: dict[str, NameCounts]) -> list[tuple[str, dict, list[float | None]]]:
    """Names, their counts, and recall and precision of both runs."""
    return [
        (
            name,
            one._asdict(),
            [
                _share(one.first_right, one.true),
                _share(one.second_right, one.true),
                _share(one.first_right, one.first),
                _share(one.second_right, one.second),
            ],
        )
        for name, one in counted.items()
    ]


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _frames(
    found: RunComparison, folders: tuple[Path, Path], runs: tuple[Run, Run], worst: dict
) -> dict:
    """What the page's script shows of each frame, with the pictures of some."""
    series = found.series
    names = _frame_names(series)
    places = [(frame.source, microseconds(frame.stamp)) for frame in series]
    chosen = sorted({*spread(len(series), PICTURED), *worst})
    pictures, without = _pictures(folders, runs, {places[number]: number for number in chosen})
    described = range(len(series)) if len(series) <= DESCRIBED else chosen
    about = f"{len(pictures)} of {len(series)} frames have pictures: every so many, and the worst."
    return {
        "names": names,
        "rows": [
            {"label": "F1 of objects", "format": "percent"},
            {"label": "F1 of relations", "format": "percent"},
            {"label": "latency", "format": "ms"},
            {"label": "objects alike", "format": "percent"},
            {"label": "relations alike", "format": "percent"},
        ],
        "sides": ["before", "after"],
        "values": [
            [
                list(f.objects),
                list(f.relations),
                list(f.latency_ms),
                f.same_objects,
                f.same_relations,
            ]
            for f in series
        ],
        "captions": ["before", "after"],
        "pictures": pictures,
        "notes": {
            str(number): [
                ("only before", series[number].lost),
                ("only after", series[number].gained),
            ]
            for number in described
        },
        "without": without,
        "about": f"{about} {without}" if pictures else without,
        "begin": next(iter(worst), 0),
    }


def _pictures(
    folders: tuple[Path, Path], runs: tuple[Run, Run], wanted: dict[Place, int]
) -> tuple[dict[str, list[str | None]], str]:
    """By the number of the frame what both sides have, and why something is missing, or nothing."""
    sides = [
        pictures_of(folder, list(run), wanted) for folder, run in zip(folders, runs, strict=True)
    ]
    found = {}
    for place, number in wanted.items():
        jpegs = [pictures.get(place) for pictures, _ in sides]
        if any(jpegs):
            found[str(number)] = [jpeg and data_uri(jpeg) for jpeg in jpegs]
    return found, " ".join(why for _, why in sides if why)
