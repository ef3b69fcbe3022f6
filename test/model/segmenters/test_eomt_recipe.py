"""EoMT's own part of its training: mask annealing and layer-wise decay of the learning rate."""

import pytest

from dsflash_ros.errors import ConfigError
from dsflash_ros.model.config import ModelConfig
from dsflash_ros.model.segmenters import make_segmenter
from dsflash_ros.model.segmenters.eomt_recipe import ANNEALING, mask_probability


@pytest.mark.parametrize(
    ("query_blocks", "epochs", "starts", "ends"),
    [
        (
            3,
            24,
            [29564, 73910, 118256],
            [59128, 103474, 147820],
        ),  # EoMT's config of small and base, 2x
        (4, 12, [14782, 29564, 44346, 59128], [29564, 44346, 59128, 73910]),  # and of large
    ],
)
def test_annealing_is_eomts(query_blocks, epochs, starts, ends):
    total = epochs * 7391
    assert len(ANNEALING[query_blocks]) == query_blocks
    for (start, end), first, last in zip(ANNEALING[query_blocks], starts, ends, strict=True):
        for step in [
            *range(0, total, 97),
            *(x + offset for x in (first, last) for offset in (-1, 0, 1)),
        ]:
            expected = (
                1.0
                if step < first
                else 0.0
                if step >= last
                else (1 - (step - first) / (last - first)) ** 0.9
            )
            assert mask_probability(step / total, start, end) == pytest.approx(expected, abs=1e-9)


def test_annealing_from_0_to_0_never_masks():
    assert [mask_probability(step / 10, 0, 0) for step in range(11)] == [0] * 11


def eomt_rates(names, depth, query_blocks, lr, llrd, decay_query_blocks):
    """EoMT's loop over the parameters, last first, with its running block number; names of the
    backbone alone.
    """
    rates, block = {}, depth
    for name in reversed(names):
        is_block = "blocks" in name.split(".")
        if is_block:
            block = int(name.split(".")[name.split(".").index("blocks") + 1])
        rate = lr
        if is_block or block == 0:
            rate *= llrd ** (depth - 1 - block)
        if "vit.norm" in name or (
            is_block and block >= depth - query_blocks and not decay_query_blocks
        ):
            rate = lr
        rates[name] = rate
    return rates


@pytest.mark.parametrize("decay_query_blocks", [True, False])
@pytest.mark.parametrize(
    ("size", "backbone"), [("tiny", "plain"), ("small", "dinov2"), ("small", "dinov3")]
)
def test_layers_decay_as_eomts(size, backbone, decay_query_blocks):
    model = make_segmenter(ModelConfig(size, backbone, 64))
    names = {parameter: name for name, parameter in model.named_parameters()}
    model.configure_training({"llrd": 0.8, "decay_query_blocks": decay_query_blocks, "lr": 7})
    groups = model.parameter_groups(1e-4)
    found = {names[parameter]: group["lr"] for group in groups for parameter in group["params"]}
    assert len(found) == sum(len(group["params"]) for group in groups) == len(names), (
        "each parameter once"
    )
    inside = [name for name in names.values() if name.startswith("backbone.")]
    expected = eomt_rates(inside, 12, 3, 1e-4, 0.8, decay_query_blocks)
    expected |= {name: 1e-4 for name in names.values() if name not in expected}
    assert found == pytest.approx(expected, rel=1e-9)
    assert found["backbone.vit.cls_token"] == pytest.approx(1e-4 * 0.8**11)
    warms_late = {names[p] for group in groups if group["backbone"] for p in group["params"]}
    assert warms_late == set(inside)


def test_the_predictions_follow_the_progress_of_the_run():
    """Block by block the masks are lifted; the curve is their mean."""
    model = make_segmenter(ModelConfig("tiny", image_size=64))
    model.configure_training({"annealing": ((0.0, 0.2), (0.2, 0.4), (0.4, 0.6)), "poly_power": 1})
    found = {p: model.recipe.mask_probabilities(model, p) for p in (0, 0.1, 0.3, 0.5, 0.6)}
    assert [*map(pytest.approx, found.values())] == [
        [1, 1, 1],
        [0.5, 1, 1],
        [0, 0.5, 1],
        [0, 0, 0.5],
        [0, 0, 0],
    ]
    assert model.training_metrics(0.1) == {"mask_probability": pytest.approx(2.5 / 3)}


def test_annealing_of_another_number_of_blocks_is_refused():
    model = make_segmenter(ModelConfig("tiny", image_size=64))
    with pytest.raises(
        ConfigError, match="annealing has 1 pairs, but a model of this size has 3 query blocks"
    ):
        model.configure_training({"annealing": ((0.1, 0.2),)})
