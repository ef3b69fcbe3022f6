"""The loop over sources and sinks, with real sources and graphs without nodes."""

import numpy as np
import pytest
from media_files import picture, write_image, write_video

from dsflash_ros.errors import ImageError, OutputError, SourceError
from dsflash_ros.graph.scene_graph import SceneGraph
from dsflash_ros.loop import Loop
from dsflash_ros.sinks.sink import Sink
from dsflash_ros.sources import open_source, open_sources
from dsflash_ros.sources.source import Frame, Source


def empty_graph(frame, weights="mine"):
    panoptic = np.full(frame.rgb.shape[:2], -1, np.int32)
    latency_ms = {"total": 1e3 * frame.stamp}
    return SceneGraph((), (), panoptic, frame.stamp, frame.name, weights, latency_ms)


class Collected(Sink):
    """Keeps what it is given."""

    def __init__(self):
        self.graphs, self.frames, self.sources = [], [], []

    def write(self, graph, frame, source):
        self.graphs.append(graph)
        self.frames.append(frame)
        self.sources.append(source)


class Listed(Source):
    """Frames of these stamps, as many as that."""

    closed = False

    def __init__(self, *stamps):
        super().__init__("listed")
        self._stamps = stamps

    def _frames(self):
        for stamp in self._stamps:
            yield Frame(picture(), stamp, "listed")

    def close(self):
        self.closed = True


@pytest.fixture
def video(tmp_path):
    """Twelve frames, ten a second."""
    return str(write_video(tmp_path / "clip.mp4", frames=12, rate=10))


def test_each_sink_gets_each_graph_with_its_frame_and_source(tmp_path, video):
    photo = str(write_image(tmp_path / "a.png", picture()))
    sources, sinks = open_sources([photo, video]), [Collected(), Collected()]
    tally = Loop(empty_graph, sinks).run(sources)
    for sink in sinks:
        assert [frame.name for frame in sink.frames] == [photo] + [video] * 12
        assert sink.sources == [sources[0]] + [sources[1]] * 12
        for graph, frame in zip(sink.graphs, sink.frames, strict=True):
            assert (graph.stamp, graph.source) == (frame.stamp, frame.name)
            assert graph.panoptic.shape == frame.rgb.shape[:2]
    assert (tally.graphs, tally.skipped, tally.bad_stamps) == (13, 0, 0)


@pytest.mark.parametrize(
    ("stride", "limit", "tenths"),
    [
        (1, 3, [0, 1, 2]),
        (5, None, [0, 5, 10]),
        (5, 2, [0, 5]),
        (3, 99, [0, 3, 6, 9]),
        (99, 7, [0]),
    ],
)
def test_stride_and_limit_count_for_each_source(video, stride, limit, tenths):
    sink = Collected()
    Loop(empty_graph, [sink], stride, limit).run(open_sources([video, video]))
    assert [graph.stamp for graph in sink.graphs] == pytest.approx([n / 10 for n in tenths * 2])


def test_the_tally(video):
    tally = Loop(empty_graph, [], stride=4).run([open_source(video)])
    assert list(tally.latencies_ms) == pytest.approx([0, 400, 800])
    assert tally.median_latency_ms == pytest.approx(400)
    assert tally.seconds > 0 and tally.rate == pytest.approx(3 / tally.seconds)
    nothing = Loop(empty_graph, []).tally
    assert (nothing.graphs, nothing.rate, nothing.median_latency_ms) == (0, 0.0, None)


def test_frames_that_cannot_be_used_are_skipped_counted_and_reported(tmp_path, caplog):
    for name, side in (("1", 20), ("2", 5), ("4", 30)):
        write_image(tmp_path / f"{name}.png", picture(side, side))
    (tmp_path / "3.png").write_bytes(b"no picture")

    def refuse_small(frame):
        if len(frame.rgb) < 16:
            raise ImageError("too small")
        return empty_graph(frame)

    sink = Collected()
    tally = Loop(refuse_small, [sink]).run([open_source(str(tmp_path))])
    assert [frame.stamp for frame in sink.frames] == [0, 3]
    assert (tally.graphs, tally.skipped) == (2, 2)
    assert "2.png: too small" in caplog.text and "3.png: the image cannot be" in caplog.text


def test_stamps_that_go_back_are_counted():
    assert Loop(empty_graph, []).run([Listed(1.0, 0.5, float("nan"), 2.0)]).bad_stamps == 2


def test_a_source_without_a_usable_frame_does_not_keep_the_others(video, caplog):
    def refuse(frame):
        if frame.name == "listed":
            raise ImageError("never")
        return empty_graph(frame)

    loop, source = Loop(refuse, [], limit=2), Listed(1.0, 2.0, 3.0)
    with pytest.raises(SourceError, match="1 of 2 sources could not be used"):
        loop.run([source, open_source(video)])
    assert source.closed and loop.tally.skipped == loop.tally.graphs == 2
    assert "no frame of listed could be used" in caplog.text
    with pytest.raises(SourceError, match="no frame of listed could be used"):
        Loop(refuse, []).run([Listed(1.0)])


@pytest.mark.parametrize("end", [KeyboardInterrupt, OutputError("the disk is full")])
def test_the_tally_stays_true_when_the_loop_is_broken_off(end):
    class Full(Sink):
        def write(self, graph, frame, source):
            if frame.stamp == 3:
                raise end

    loop, source = Loop(empty_graph, [Full()]), Listed(1.0, 2.0, 3.0, 4.0)
    with pytest.raises(type(end) if isinstance(end, Exception) else end):
        loop.run([source])
    assert list(loop.tally.latencies_ms) == [1000, 2000] and loop.tally.seconds > 0
    assert source.closed


def test_graphs_of_untrained_weights_are_said_to_mean_nothing_once(caplog, video):
    def untrained(frame):
        return empty_graph(frame, weights="random-tiny")

    Loop(untrained, []).run(open_sources([video, video]))
    assert caplog.text.count("the weights 'random-tiny' are untrained") == 1
    caplog.clear()
    Loop(empty_graph, []).run([open_source(video)])
    assert not caplog.records
