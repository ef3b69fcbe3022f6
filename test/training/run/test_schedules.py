import math

import pytest
import torch

from dsflash_ros.errors import ConfigError
from dsflash_ros.model.config import ModelConfig
from dsflash_ros.model.segmenters.eomt import EoMT
from dsflash_ros.training.run.schedules import (
    EOMT_ANNEALING,
    cosine_with_warmup,
    layer_decayed_groups,
    mask_probability,
    two_stage_poly,
    two_stage_scheduler,
)


def eomt_factors(step, first, second, total, power):
    """As EoMT's scheduler words it: of new parameters, and of the backbone's."""
    if first > 0 and step < first:
        return step / first, 0
    new = (1 - (step - first) / max(1, total - first)) ** power
    if step < first + second:
        return new, (step - first) / second
    return new, (1 - (step - first - second) / max(1, total - first - second)) ** power


@pytest.mark.parametrize("warmup", [(500, 1000), (0, 0), (0, 7), (7, 0)])
@pytest.mark.parametrize("power", [0.9, 2.0])
def test_two_stages_are_eomts(warmup, power):
    total = 2000
    for step in range(total + 1):
        found = [two_stage_poly(step, backbone, warmup, total, power) for backbone in (False, True)]
        assert found == pytest.approx(eomt_factors(step, *warmup, total, power), abs=1e-12)
    assert (
        two_stage_poly(total + 5, True, warmup, total, power) == 0
    )  # EoMT's would be a complex number


def test_cosine_with_warmup():
    factors = [cosine_with_warmup(step, 10, 110) for step in range(120)]
    assert factors[:11] == pytest.approx([step / 10 for step in range(11)])
    for step in range(10, 111):
        assert factors[step] == pytest.approx(0.5 + 0.5 * math.cos(math.pi * (step - 10) / 100))
    assert factors[60] == pytest.approx(0.5)
    assert factors[110:] == pytest.approx([0] * 10, abs=1e-12)
    assert cosine_with_warmup(0, 0, 100) == 1


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
    assert len(EOMT_ANNEALING[query_blocks]) == query_blocks
    for (start, end), first, last in zip(EOMT_ANNEALING[query_blocks], starts, ends, strict=True):
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
            assert mask_probability(step, start, end, total) == pytest.approx(expected, abs=1e-9)


def test_annealing_from_0_to_0_never_masks():
    assert [mask_probability(step, 0, 0, 10) for step in range(11)] == [0] * 11


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
    model = EoMT(ModelConfig(size, backbone, 64))
    names = {parameter: name for name, parameter in model.named_parameters()}
    groups = layer_decayed_groups(model, 1e-4, 0.8, decay_query_blocks)
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


def test_scheduler_drives_an_optimizer():
    model = EoMT(ModelConfig("tiny", image_size=64))
    optimizer = torch.optim.AdamW(layer_decayed_groups(model, 1e-4), weight_decay=0.05)
    peaks = [group["lr"] for group in optimizer.param_groups]
    scheduler = two_stage_scheduler(optimizer, (4, 6), 50)
    for step in range(51):
        new, backbone = eomt_factors(step, 4, 6, 50, 0.9)
        expected = [
            peak * (backbone if group["backbone"] else new)
            for peak, group in zip(peaks, optimizer.param_groups, strict=True)
        ]
        assert [group["lr"] for group in optimizer.param_groups] == pytest.approx(
            expected, abs=1e-15
        )
        optimizer.step()
        scheduler.step()


def test_a_run_shorter_than_its_warmup_is_refused():
    optimizer = torch.optim.AdamW([{"params": [torch.zeros(1)], "backbone": True}], lr=1e-4)
    with pytest.raises(
        ConfigError, match=r"a run of 1500 steps never ends its warm-up of 500 \+ 1000 steps"
    ):
        two_stage_scheduler(optimizer, (500, 1000), 1500)
