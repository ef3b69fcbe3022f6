"""A sheet of samples: images with their segments, and beside each a list of its relations."""

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

# Sizes in pixels.
_IMAGE_WIDTH, _COLUMN_WIDTH, _LINE_HEIGHT = 640, 390, 18
_SWATCH, _MARGIN = 10, 8  # a swatch shows a segment's colour before its name
_MAX_COLUMNS = 2

_PAPER, _INK, _HEADING = (24, 26, 30), (225, 225, 225), (255, 200, 90)
_FONT, _FONT_SCALE = cv2.FONT_HERSHEY_SIMPLEX, 0.45

Line = list[tuple[str, int | None]]
"""Words of a line, each with the id of the node that it names, or None."""


class Sample(NamedTuple):
    """An image, (H, W, 3) uint8 RGB, with its annotations in the form that `true_graph` takes."""

    name: str
    rgb: np.ndarray
    labels: np.ndarray
    class_ids: np.ndarray
    relations: np.ndarray
    vocabulary: Vocabulary


def samples_of_dataset(dataset: PsgDataset, count: int) -> Iterator[Sample]:
    """Take up to `count` images of a data set, evenly spread."""
    count = min(count, len(dataset))
    for index in range(count):
        record = dataset[index * len(dataset) // count]
        segments = record.labels(), record.class_ids, record.relations
        yield Sample(record.image_id, record.image(), *segments, dataset.vocabulary)


def samples_of_seed(seed: int, count: int, width: int, height: int) -> Iterator[Sample]:
    """Render one image of each of a seed's first `count` scenes. Needs the extra `toyroom`."""
    from dsflash_ros.toyroom import VOCABULARY
    from dsflash_ros.toyroom.camera.shots import render_shots

    for scene in range(count):
        shots, _ = render_shots(seed, scene, 1, width, height)
        for shot in shots:
            segments = shot.truth.labels, shot.truth.class_ids, shot.truth.relations
            yield Sample(f"seed {seed}, scene {scene}", shot.picture.rgb, *segments, VOCABULARY)


def draw_sheet(samples: Iterable[Sample]) -> np.ndarray:
    """Draw samples, two in a row: (H, W, 3) uint8 RGB."""
    cells = [_draw_cell(sample) for sample in samples]
    height = max(cell.shape[0] for cell in cells)
    width = max(cell.shape[1] for cell in cells)
    columns = min(2, len(cells))
    rows = (len(cells) + columns - 1) // columns
    sheet = np.full((rows * height, columns * width, 3), _PAPER, np.uint8)
    for number, cell in enumerate(cells):
        y, x = number // columns * height, number % columns * width
        sheet[y : y + cell.shape[0], x : x + cell.shape[1]] = cell
    return sheet


def write_sheet(path: str | Path, rgb: np.ndarray) -> None:
    """Write a sheet as .png or .jpg.

    Raises:
        OutputError: the name ends in another way, or the file cannot be written.
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


def _draw_cell(sample: Sample) -> np.ndarray:
    """Draw the image with its segments, and the list of relations on its right."""
    height, width = sample.labels.shape
    size = _IMAGE_WIDTH, max(1, round(height * _IMAGE_WIDTH / width))
    rgb = cv2.resize(sample.rgb, size, interpolation=cv2.INTER_LINEAR)
    labels = cv2.resize(sample.labels, size, interpolation=cv2.INTER_NEAREST)
    graph = true_graph(labels, sample.class_ids, sample.relations, sample.vocabulary)
    text = _draw_text(sample.name, graph, height=size[1])
    return np.hstack((draw_overlay(rgb, graph, max_relations=0), text))


def _draw_text(name: str, graph: SceneGraph, height: int) -> np.ndarray:
    """Draw a heading and the relations below it, in one or two columns."""
    lines, rows = _lines(graph), max(1, height // _LINE_HEIGHT - 1)
    columns = min(_MAX_COLUMNS, (len(lines) + rows - 1) // rows)
    if len(lines) > rows * columns:
        shown = rows * columns - 1
        lines = [*lines[:shown], [(f"... and {len(lines) - shown} more", None)]]
    text = np.full((height, columns * _COLUMN_WIDTH, 3), _PAPER, np.uint8)
    colours = _colours(graph)
    _write_words(text, name, _MARGIN, 0, _HEADING)
    for number, line in enumerate(lines):
        _write_line(text, line, number // rows, 1 + number % rows, colours)
    return text


def _lines(graph: SceneGraph) -> list[Line]:
    """The relations, one per line; those with the rarest predicates come first."""
    names = {node.id: node.name for node in graph.nodes}
    count = Counter(relation.predicate for relation in graph.relations)
    lines = []
    for relation in sorted(graph.relations, key=lambda r: (count[r.predicate], r.predicate)):
        subject, thing = relation.subject, relation.object
        lines.append([(names[subject], subject), (relation.predicate, None), (names[thing], thing)])
    return lines or [[("no relations", None)]]


def _colours(graph: SceneGraph) -> dict[int, list[int]]:
    """The colours in which `draw_overlay` shows the nodes, by node id."""
    drawn = draw_panoptic(graph)
    return {node.id: drawn[graph.mask(node.id)][0].tolist() for node in graph.nodes if node.area}


def _write_line(
    text: np.ndarray, line: Line, column: int, row: int, colours: dict[int, list[int]]
) -> None:
    """Write the words of a line, with a swatch before each name of a node."""
    x, bottom = column * _COLUMN_WIDTH + _MARGIN, (row + 1) * _LINE_HEIGHT - 4
    for words, node in line:
        if node in colours:
            corners = (x, bottom - _SWATCH), (x + _SWATCH, bottom)
            cv2.rectangle(text, *corners, colours[node], cv2.FILLED)
            x += _SWATCH + 4
        x = _write_words(text, words, x, row, _INK) + _MARGIN


def _write_words(text: np.ndarray, words: str, x: int, row: int, ink: tuple[int, int, int]) -> int:
    """Write words into a row. Returns the x coordinate where they end."""
    bottom = (row + 1) * _LINE_HEIGHT - 4
    cv2.putText(text, words, (x, bottom), _FONT, _FONT_SCALE, ink, 1, cv2.LINE_AA)
    return x + cv2.getTextSize(words, _FONT, _FONT_SCALE, 1)[0][0]
