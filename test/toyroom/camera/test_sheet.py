import cv2
import numpy as np
import pytest

from dsflash_ros.data.psg import PsgDataset
from dsflash_ros.data.psg_writer import PsgWriter
from dsflash_ros.drawing.overlay import draw_panoptic
from dsflash_ros.errors import OutputError
from dsflash_ros.graph.vocabulary import Vocabulary
from dsflash_ros.toyroom.camera.sheet import Sample, draw_sheet, samples_of_dataset, write_sheet
from dsflash_ros.toyroom.truth.true_graph import true_graph

VOCABULARY = Vocabulary(things=("cup", "book"), stuff=("floor",), predicates=("on", "beside"))


def sample(seed, relations=((0, 2, 0), (1, 2, 0)), height=120, width=160):
    random = np.random.default_rng(seed)
    labels = np.repeat(
        np.repeat(random.integers(-1, 3, (height // 20, width // 20)), 20, 0), 20, 1
    ).astype(np.int32)
    labels[:20, :60] = np.repeat(np.arange(3), 20)  # each segment has a pixel
    rgb = random.integers(0, 256, (height, width, 3), np.uint8)
    return Sample(
        f"image {seed}",
        rgb,
        labels,
        np.array([0, 1, 2]),
        np.array(relations).reshape(-1, 3),
        VOCABULARY,
    )


def test_a_true_graph_says_what_the_annotations_say():
    labels = sample(3).labels
    graph = true_graph(
        labels, [1, 0, 2], np.array([(0, 2, 0), (1, 0, 1)]), VOCABULARY, stamp=1.5, source="here"
    )
    assert graph.triplets() == [("book_0", "on", "floor_2"), ("cup_1", "beside", "book_0")]
    assert [(node.label, node.is_thing) for node in graph.nodes] == [
        ("book", True),
        ("cup", True),
        ("floor", False),
    ]
    assert (graph.stamp, graph.source, graph.is_trained) == (1.5, "here", True)
    for node in graph.nodes:
        y, x = np.nonzero(labels == node.id)
        assert np.array_equal(graph.mask(node.id), labels == node.id)
        assert node.area == len(y)
        assert node.centroid == pytest.approx((x.mean() + 0.5, y.mean() + 0.5))
        assert node.box == (x.min(), y.min(), x.max() + 1, y.max() + 1)
    assert ((graph.panoptic == -1) == (labels == -1)).all()


def test_a_true_graph_without_nodes():
    graph = true_graph(np.full((4, 5), -1), [], np.zeros((0, 3)), VOCABULARY)
    assert graph.nodes == graph.relations == () and (graph.panoptic == -1).all()


def test_a_sheet_has_two_images_in_a_row_with_text_beside_each():
    one, three = draw_sheet([sample(0)]), draw_sheet([sample(seed) for seed in range(3)])
    assert one.shape[0] == 480 and three.shape == (960, 2 * one.shape[1], 3)
    assert np.array_equal(three[:480, : one.shape[1]], one)
    assert (one[:, 640:].max(axis=2) > 150).any()  # bright text
    paper = three[480:, one.shape[1] :]
    assert (paper == paper[0, 0]).all()  # there is no fourth sample


def test_masks_are_drawn_in_the_colours_of_the_graph():
    given = sample(1)
    graph = true_graph(given.labels, given.class_ids, given.relations, VOCABULARY)
    colours = cv2.resize(draw_panoptic(graph), (640, 480), interpolation=cv2.INTER_NEAREST).astype(
        int
    )
    plain = cv2.resize(given.rgb, (640, 480)).astype(int)
    nearer = np.abs(draw_sheet([given])[:, :640] - colours).sum(2) < np.abs(plain - colours).sum(2)
    assert nearer[colours.any(2)].mean() > 0.8


def test_each_relation_is_a_line_and_those_that_do_not_fit_are_counted():
    def ink(relations):
        return (draw_sheet([sample(0, relations)])[:, 640:].max(axis=2) > 150).sum(axis=0)

    few, some, many = ink([(0, 2, 0)]), ink([(0, 2, 0)] * 20), ink([(0, 2, 0)] * 500)
    assert few.sum() < some.sum() < many.sum()
    assert len(few) == len(some) < len(many)  # a second column, not a third
    assert len(many) == len(ink([(0, 2, 0)] * 30))


def test_samples_of_a_data_set_are_spread_evenly(tmp_path):
    given = sample(0)
    with PsgWriter(tmp_path, VOCABULARY, "png") as writer:
        for index in range(6):
            writer.add(f"i{index}", given.rgb, given.labels, given.class_ids, given.relations)
    dataset = PsgDataset.open(tmp_path)
    found = list(samples_of_dataset(dataset, 3))
    assert [one.name for one in found] == ["i0", "i2", "i4"]
    assert np.array_equal(found[0].rgb, given.rgb) and np.array_equal(found[0].labels, given.labels)
    assert len(list(samples_of_dataset(dataset, 99))) == 6


def test_sheets_are_written_as_pictures_or_refused(tmp_path):
    rgb = sample(0).rgb
    write_sheet(tmp_path / "a.png", rgb)
    assert np.array_equal(cv2.imread(str(tmp_path / "a.png"))[..., ::-1], rgb)
    for name in ("a.txt", "a"):
        with pytest.raises(OutputError, match=r"written as \.png or \.jpg"):
            write_sheet(tmp_path / name, rgb)
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]
