"""A sheet of samples: each picture with its segments, and beside it what relates to what."""

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from dsflash_ros.data.psg import PsgDataset
from dsflash_ros.drawing.overlay import draw_overlay, draw_panoptic
from dsflash_ros.errors import OutputError
from dsflash_ros.files import replacing
from dsflash_ros.graph.scene_graph import SceneGraph
from dsflash_ros.graph.vocabulary import Vocabulary
from dsflash_ros.toyroom.truth.true_graph import true_graph

_WIDTH, _TEXT_WIDTH, _LINE, _SWATCH, _MARGIN = 640, 390, 18, 10, 8
"""Pixels: of a picture, of a column of text, from line to line, a segment's colour before its name,
air.
"""

_PAPER, _INK, _HEADING = (24, 26, 30), (225, 225, 225), (255, 200, 90)
_FONT, _FONT_SCALE = cv2.FONT_HERSHEY_SIMPLEX, 0.45


class Sample(NamedTuple):
    """An image, (H, W, 3) uint8 RGB, and its segments as `true_graph` takes them."""

    name: str
    rgb: np.ndarray
    labels: np.ndarray
    class_ids: np.ndarray
    relations: np.ndarray
    vocabulary: Vocabulary


def samples_of_dataset(dataset: PsgDataset, count: int) -> Iterator[Sample]:
    """At most `count` images of a data set, spread evenly."""
    count = min(count, len(dataset))
    for index in range(count):
        record = dataset[index * len(dataset) // count]
        segments = record.labels(), record.class_ids, record.relations
        yield Sample(record.image_id, record.image(), *segments, dataset.vocabulary)


def samples_of_seed(seed: int, count: int, width: int, height: int) -> Iterator[Sample]:
    """An image of each of the seed's first scenes, rendered. Needs the extra `toyroom`."""
    from dsflash_ros.toyroom import VOCABULARY
    from dsflash_ros.toyroom.camera.shots import render_views

    for scene in range(count):
        for view in render_views(seed, scene, 1, width, height)[0]:
            truth, name = view.truth, f"seed {seed}, scene {scene}"
            yield Sample(
                name, view.frame.rgb, truth.labels, truth.class_ids, truth.relations, VOCABULARY
            )


def draw_sheet(samples: Iterable[Sample]) -> np.ndarray:
    """(H, W, 3) uint8 RGB: the samples, two in a row."""
    cells = [_cell(sample) for sample in samples]
    height, width = (max(cell.shape[axis] for cell in cells) for axis in (0, 1))
    columns = min(2, len(cells))
    sheet = np.full((-(-len(cells) // columns) * height, columns * width, 3), _PAPER, np.uint8)
    for number, cell in enumerate(cells):
        y, x = number // columns * height, number % columns * width
        sheet[y : y + cell.shape[0], x : x + cell.shape[1]] = cell
    return sheet


def write_picture(path: str | Path, rgb: np.ndarray) -> None:
    """Write a picture in the format that the name ends in.

    Raises `OutputError` when that cannot be.
    """
    path = Path(path)
    try:
        done, data = cv2.imencode(path.suffix, cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR))
    except cv2.error:
        done = False
    if not done:
        raise OutputError(f"{path}: pictures are written as .png or .jpg; let the name end so")
    with replacing(path) as partial:
        partial.write_bytes(data.tobytes())


def _cell(sample: Sample) -> np.ndarray:
    """The picture with its segments, and on its right the relations."""
    height, width = sample.labels.shape
    size = _WIDTH, max(1, round(height * _WIDTH / width))
    rgb = cv2.resize(sample.rgb, size, interpolation=cv2.INTER_LINEAR)
    labels = cv2.resize(sample.labels, size, interpolation=cv2.INTER_NEAREST)
    graph = true_graph(labels, sample.class_ids, sample.relations, sample.vocabulary)
    lines, rows = _lines(graph), max(1, size[1] // _LINE - 1)
    columns = min(2, -(-len(lines) // rows)) or 1
    if len(lines) > rows * columns:
        shown = rows * columns - 1
        lines = [*lines[:shown], [(f"... and {len(lines) - shown} more", None)]]
    text = np.full((size[1], columns * _TEXT_WIDTH, 3), _PAPER, np.uint8)
    colours = _colours(graph)
    _letter(text, sample.name, _MARGIN, 0, _HEADING)
    for number, line in enumerate(lines):
        _write_line(text, line, number // rows, 1 + number % rows, colours)
    return np.hstack((draw_overlay(rgb, graph, max_relations=0), text))


def _lines(graph: SceneGraph) -> list[list[tuple[str, int | None]]]:
    """The relations, those of the rarest predicates first, which say most: words, each with the
    node that they name.
    """
    names, count = (
        {node.id: node.name for node in graph.nodes},
        Counter(r.predicate for r in graph.relations),
    )
    relations = sorted(graph.relations, key=lambda r: (count[r.predicate], r.predicate))
    lines = [
        [(names[r.subject], r.subject), (r.predicate, None), (names[r.object], r.object)]
        for r in relations
    ]
    return lines or [[("no relations", None)]]


def _colours(graph: SceneGraph) -> dict[int, list[int]]:
    """Of the nodes in view, as `draw_overlay` has them."""
    picture = draw_panoptic(graph)
    return {node.id: picture[graph.mask(node.id)][0].tolist() for node in graph.nodes if node.area}


def _write_line(
    text: np.ndarray, line: list[tuple[str, int | None]], column: int, row: int, colours: dict
) -> None:
    x, bottom = column * _TEXT_WIDTH + _MARGIN, (row + 1) * _LINE - 4
    for words, node in line:
        if node in colours:
            cv2.rectangle(
                text, (x, bottom - _SWATCH), (x + _SWATCH, bottom), colours[node], cv2.FILLED
            )
            x += _SWATCH + 4
        x = _letter(text, words, x, row, _INK) + _MARGIN


def _letter(text: np.ndarray, words: str, x: int, row: int, ink: tuple[int, int, int]) -> int:
    """Returns the x where the words end."""
    cv2.putText(text, words, (x, (row + 1) * _LINE - 4), _FONT, _FONT_SCALE, ink, 1, cv2.LINE_AA)
    return x + cv2.getTextSize(words, _FONT, _FONT_SCALE, 1)[0][0]
