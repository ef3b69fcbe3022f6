"""The videos that are written: what is in the file, and that a browser plays it."""

import json
import shutil
import subprocess
import threading
from fractions import Fraction
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import Empty, Queue

import av
import numpy as np
import pytest

from dsflash_ros.errors import OutputError
from dsflash_ros.sinks.video_file import VideoFile

RED, GREEN = (200, 30, 60), (10, 180, 40)


def picture(height=48, width=64, top=RED, bottom=GREEN):
    rgb = np.empty((height, width, 3), np.uint8)
    rgb[: height // 2], rgb[height // 2 :] = top, bottom
    return rgb


def write_video(path, pictures, rate=10.0):
    height, width = pictures[0].shape[:2]
    video = VideoFile(path, height, width, rate)
    for rgb in pictures:
        video.write(rgb)
    video.close()
    return path


def pictures_of(path):
    """(N, H, W, 3) uint8, as another decoder than OpenCV's reads them."""
    with av.open(str(path)) as file:
        return np.stack([frame.to_ndarray(format="rgb24") for frame in file.decode(video=0)])


def test_what_browsers_need(tmp_path):
    path = write_video(tmp_path / "a.mp4", [picture()] * 12)
    with av.open(str(path)) as file:
        (stream,) = file.streams
        assert (stream.codec_context.name, stream.pix_fmt) == ("h264", "yuv420p")
        assert (stream.width, stream.height, stream.frames) == (64, 48, 12)
        assert stream.duration * stream.time_base == Fraction(12, 10)
    content = path.read_bytes()
    assert 0 < content.find(b"moov") < content.find(b"mdat"), "it plays before all of it is there"


def test_pictures_and_their_colours_come_back_in_order(tmp_path):
    written = [picture(top=(20 * n, 60, 255 - 20 * n)) for n in range(12)]
    found = pictures_of(write_video(tmp_path / "a.mp4", written))
    difference = found.astype(int)[:, 8::16] - np.stack(written)[:, 8::16]
    assert found.shape == (12, 48, 64, 3) and np.abs(difference).max() <= 8


@pytest.mark.parametrize(("height", "width"), [(47, 64), (48, 63), (47, 63), (17, 17)])
def test_odd_sides_get_their_last_row_or_column_twice(tmp_path, height, width):
    (found, *_) = pictures_of(write_video(tmp_path / "a.mp4", [picture(height, width)] * 3))
    assert found.shape == (height + height % 2, width + width % 2, 3)
    assert np.abs(found[-1].astype(int) - GREEN).max() <= 8
    assert np.abs(found[:4, -1].astype(int) - RED).max() <= 8


@pytest.mark.parametrize(
    ("rate", "written"),
    [
        (30, 30),
        (29.97, Fraction(2997, 100)),
        (24000 / 1001, Fraction(24000, 1001)),
        (7.1234, Fraction(71234, 10000)),
        (0.25, Fraction(1, 4)),
        (1e-9, Fraction(1, 10)),
        (1e9, 240),
    ],
)
def test_rate(tmp_path, rate, written):
    path = write_video(tmp_path / "a.mp4", [picture()] * 4, rate)
    with av.open(str(path)) as file:
        stream = file.streams.video[0]
        times = [frame.pts * frame.time_base for frame in file.decode(stream)]
    assert float(stream.average_rate) == pytest.approx(float(written), rel=1e-4)
    assert [float(time) for time in times] == pytest.approx([n / written for n in range(4)])


def test_a_video_without_pictures_leaves_no_file(tmp_path):
    VideoFile(tmp_path / "a.mp4", 48, 64, 10).close()
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("rgb", [picture(64, 48), picture().astype(float), picture()[..., 0]])
def test_pictures_of_another_shape_or_type_are_refused(tmp_path, rgb):
    video = VideoFile(tmp_path / "a.mp4", 48, 64, 10)
    with pytest.raises(ValueError, match=r"pictures must be \(48, 64, 3\) uint8, got"):
        video.write(rgb)
    video.close()


def test_a_place_that_is_not_there(tmp_path):
    with pytest.raises(OutputError, match=r"cannot write the video .*none/a\.mp4: No such file"):
        VideoFile(tmp_path / "none" / "a.mp4", 48, 64, 10)


def test_without_an_encoder_one_sentence(tmp_path, monkeypatch):
    monkeypatch.setattr(av.codec, "codecs_available", {"mpeg4"})
    with pytest.raises(OutputError, match=r"no libx264: install .*, or give --no-overlay"):
        VideoFile(tmp_path / "a.mp4", 48, 64, 10)


CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")

PAGE = """
<video id="video" src="/a.mp4" muted autoplay></video>
<script>
const told = value => fetch("/told", {method: "POST", body: JSON.stringify(value)})
video.onerror = () => told({error: video.error.message})
video.ontimeupdate = () => {
  if (video.currentTime < 0.5) return
  video.pause()
  const canvas = document.createElement("canvas")
  canvas.width = video.videoWidth
  canvas.height = video.videoHeight
  const context = canvas.getContext("2d")
  context.drawImage(video, 0, 0)
  const at = (x, y) => Array.from(context.getImageData(x, y, 1, 1).data).slice(0, 3)
  const size = [video.videoHeight, video.videoWidth]
  told({size, duration: video.duration, top: at(32, 6), bottom: at(32, 40)})
}
</script>
"""


class Handler(BaseHTTPRequestHandler):
    """Serves the page and the video, and takes what the page says of it."""

    def __init__(self, video, told, *args):
        self._video, self._told = video, told
        super().__init__(*args)

    def do_GET(self):
        content, kind = {
            "/": (PAGE.encode(), "text/html"),
            "/a.mp4": (self._video, "video/mp4"),
        }.get(self.path, (b"", "text/plain"))
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def do_POST(self):
        length = int(self.headers["Content-Length"])
        self._told.put(json.loads(self.rfile.read(length)))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_):
        pass


@pytest.mark.skipif(CHROMIUM is None, reason="needs the browser Chromium")
def test_a_browser_plays_it(tmp_path):
    path = write_video(tmp_path / "a.mp4", [picture(47, 63)] * 20)
    told = Queue()
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, path.read_bytes(), told))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    options = (
        "--headless --no-sandbox --disable-gpu --disable-background-networking --disable-sync "
        "--disable-component-update --no-first-run --autoplay-policy=no-user-gesture-required"
    )
    address = f"http://127.0.0.1:{server.server_port}/"
    profile = f"--user-data-dir={tmp_path / 'profile'}"
    browser = subprocess.Popen(
        [CHROMIUM, *options.split(), profile, address],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        found = told.get(timeout=90)
    except Empty:
        pytest.fail("the browser said nothing of the video within 90 s")
    finally:
        browser.terminate()
        browser.wait()
        server.shutdown()
        server.server_close()
    assert "error" not in found, found
    assert found["size"] == [48, 64] and found["duration"] == pytest.approx(2.0, abs=0.01)
    assert np.abs(np.array(found["top"]) - RED).max() <= 8
    assert np.abs(np.array(found["bottom"]) - GREEN).max() <= 8
