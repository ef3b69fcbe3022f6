import cv2
import numpy as np
import pytest

from dsflash_ros.errors import ImageError
from dsflash_ros.images.letterbox import Letterbox, check_image
from dsflash_ros.pipeline.resizing import fit_image

SIZES = [(16, 16), (480, 640), (640, 480), (1080, 1920), (2160, 3840), (17, 4000), (333, 77)]


@pytest.mark.parametrize(("height", "width"), SIZES)
def test_longer_side_fills_the_input(height, width):
    box = Letterbox(height, width, 640)
    rgb = np.full((height, width, 3), 200, np.uint8)
    square = fit_image(rgb, box)
    assert square.shape == (640, 640, 3)
    assert max(box.height, box.width) == 640
    assert min(box.height, box.width) >= 1
    assert (square[: box.height, : box.width] == 200).all()
    assert square[box.height :].sum() == square[:, box.width :].sum() == 0


@pytest.mark.parametrize(("height", "width"), SIZES)
@pytest.mark.parametrize("stride", [1, 4])
def test_samples_lie_under_the_source_pixels(height, width, stride):
    box = Letterbox(height, width, 640)
    for samples, source, content in (
        (box.sample_rows(stride), height, box.height),
        (box.sample_columns(stride), width, box.width),
    ):
        expected = [
            min(int((i + 0.5) * content / source), content - 1) // stride for i in range(source)
        ]
        assert samples.tolist() == expected


def test_a_square_comes_back_where_it_was():
    rgb = np.zeros((720, 1280, 3), np.uint8)
    rgb[200:400, 600:900] = 255
    box = Letterbox(720, 1280, 640)
    small = fit_image(rgb, box)[: box.height, : box.width, 0] > 127
    back = small[box.sample_rows(1)][:, box.sample_columns(1)]
    assert (back == (rgb[..., 0] > 0)).all()


def test_the_image_passes_unchanged_where_no_scaling_is_needed():
    rgb = np.random.default_rng(0).integers(0, 256, (480, 640, 3), np.uint8)
    assert np.array_equal(fit_image(rgb, Letterbox(480, 640, 640))[:480], rgb)


@pytest.mark.parametrize(
    ("height", "width"), [(1080, 1920), (720, 960), (961, 643), (240, 320), (100, 37)]
)
def test_resizes_as_pil_does(height, width):
    """EoMT resizes with PIL's bilinear filter, which averages where it shrinks."""
    pil = pytest.importorskip("PIL.Image")
    rgb = cv2.resize(
        np.random.default_rng(0).integers(0, 256, (40, 40, 3), np.uint8), (width, height)
    )
    rgb = np.clip(rgb + np.random.default_rng(1).normal(0, 20, rgb.shape), 0, 255).astype(np.uint8)
    box = Letterbox(height, width, 640)
    expected = np.array(pil.fromarray(rgb).resize((box.width, box.height), pil.Resampling.BILINEAR))
    found = fit_image(rgb, box)[: box.height, : box.width]
    assert np.abs(found.astype(int) - expected).max() <= 1


@pytest.mark.parametrize(
    ("rgb", "says"),
    [
        (None, "NoneType"),
        (np.zeros((480, 640), np.uint8), r"shape \(480, 640\)"),
        (np.zeros((480, 640, 4), np.uint8), r"\(480, 640, 4\)"),
        (np.zeros((480, 640, 3), np.float32), "float32"),
        (np.zeros((0, 640, 3), np.uint8), "640x0"),
        (np.zeros((15, 640, 3), np.uint8), "640x15"),
        (np.zeros((16, 8193, 3), np.uint8), "8193x16"),
    ],
)
def test_bad_images_are_told_apart(rgb, says):
    with pytest.raises(ImageError, match=says):
        check_image(rgb)


@pytest.mark.parametrize("size", [(480, 640), (100, 37), (16, 16), (720, 1280)])
def test_labels_are_sampled_at_pixel_centres(size):
    box = Letterbox(*size, 320)
    labels = np.random.default_rng(0).integers(0, 99, size).astype(np.int16)
    sampled = box.sample_labels(labels)
    assert sampled.shape == (box.height, box.width) and sampled.dtype == np.int16
    for y, x in np.random.default_rng(1).integers(0, (box.height, box.width), (200, 2)):
        source_y, source_x = (y + 0.5) * size[0] / box.height, (x + 0.5) * size[1] / box.width
        assert sampled[y, x] == labels[int(source_y), int(source_x)]


def test_boxes_go_along():
    box = Letterbox(100, 300, 160)  # the content is 160 x 53, not 53.3
    assert box.scale_boxes(np.array([[0, 0, 300, 100], [30, 10, 60, 20]])).tolist() == [
        [0, 0, 160, 53],
        pytest.approx([16, 5.3, 32, 10.6]),
    ]
