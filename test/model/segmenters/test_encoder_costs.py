"""What PRO-SCALE's tables print of costs and parameters, against what is counted here."""

import pytest

from dsflash_ros.model.config import ModelConfig
from dsflash_ros.model.segmenters import make_segmenter
from dsflash_ros.model.segmenters.mask2former.encoder_costs import encoder_cost
from dsflash_ros.model.segmenters.mask2former.mask2former_settings import Mask2FormerSettings
from dsflash_ros.model.segmenters.mask2former.pixel_decoder import EncoderLayer, PixelDecoder

SWIN_T, R50 = (96, 192, 384, 768), (256, 512, 1024, 2048)
M2F = Mask2FormerSettings(0, 0, 6, "conv", "none")
COCO, WIDER, STREET = (800, 1088), (800, 1216), (1024, 2048)


@pytest.mark.parametrize(
    ("channels", "size", "layers", "printed"),
    [
        (SWIN_T, COCO, (1, 1, 1), "22.89"),  # Table 1
        (SWIN_T, COCO, (2, 2, 2), "39.53"),
        (SWIN_T, COCO, (3, 3, 3), "56.18"),
        (R50, WIDER, None, "135"),
        (R50, WIDER, (1, 1, 1), "30.25"),
        (R50, WIDER, (2, 2, 2), "48.85"),
        (R50, WIDER, (3, 3, 3), "67.45"),
        (SWIN_T, STREET, None, "281"),  # Table 2
        (SWIN_T, STREET, (1, 1, 1), "55.14"),
        (SWIN_T, STREET, (2, 2, 2), "95.24"),
        (SWIN_T, STREET, (3, 3, 3), "135"),
        (R50, STREET, None, "291"),
        (R50, STREET, (1, 1, 1), "65.21"),
        (R50, STREET, (2, 2, 2), "105"),
        (R50, STREET, (3, 3, 3), "145"),
        (SWIN_T, WIDER, (1, 1, 3), "54.77"),  # Table 5
        (R50, WIDER, (1, 1, 3), "59.44"),
        (SWIN_T, STREET, (3, 1, 1), "57.93"),  # Table 6
        (SWIN_T, STREET, (1, 3, 1), "69.62"),
        (SWIN_T, STREET, (1, 1, 3), "118"),
        (SWIN_T, WIDER, (3, 1, 1), "26.87"),
        (SWIN_T, WIDER, (1, 3, 1), "32.29"),
    ],
)
def test_the_encoder_costs_what_the_paper_prints(channels, size, layers, printed):
    """To rounding and 0.02 G: were a multiply-add two operations, it would be twice as much."""
    settings = Mask2FormerSettings(*layers) if layers else M2F
    digits = len(printed.partition(".")[2])
    giga = encoder_cost(settings, channels, *size) / 1e9
    assert abs(giga - float(printed)) <= 0.5 * 10**-digits + 0.02


def test_one_printed_cost_is_another():
    """Mask2Former's own with Swin-T on COCO, which the paper gives as 117.00."""
    assert encoder_cost(M2F, SWIN_T, *COCO) / 1e9 == pytest.approx(116.68, abs=0.005)


def parameters(module):
    return sum(parameter.numel() for parameter in module.parameters())


@pytest.mark.parametrize(("levels", "expected"), [(1, 682_848), (2, 707_520), (3, 732_192)])
def test_parameters_of_a_layer(levels, expected):
    assert parameters(EncoderLayer(256, 1024, levels)) == expected


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        (M2F, 5_421_504),
        (Mask2FormerSettings(1, 1, 1), 2_561_345),
        (Mask2FormerSettings(2, 2, 2), 4_683_905),
        (Mask2FormerSettings(3, 3, 3), 6_806_465),
    ],
)
def test_parameters_of_a_pixel_decoder(settings, expected):
    assert parameters(PixelDecoder(SWIN_T, settings)) == expected
    assert parameters(PixelDecoder(R50, settings)) == expected + 614_400


@pytest.mark.parametrize(("layers", "expected"), [((0, 0, 6), 47_435_264), ((3, 3, 3), 48_820_225)])
def test_parameters_of_the_whole_model(layers, expected):
    """They rise while costs fall. transformers has 1,536 more that nothing uses."""
    settings = dict(zip(("p1", "p2", "p3"), layers, strict=True))
    if layers == (0, 0, 6):
        settings |= {"pixel_embedding": "conv", "recalibration": "none"}
    config = ModelConfig(segmenter="mask2former", num_queries=100, segmenter_settings=settings)
    assert parameters(make_segmenter(config)) == expected
