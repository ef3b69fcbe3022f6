import math

import pytest
import torch

from dsflash_ros.errors import ConfigError
from dsflash_ros.model.config import ModelConfig
from dsflash_ros.model.segmenters import make_segmenter
from dsflash_ros.training.run.schedules import (
    cosine_with_warmup,
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


def test_scheduler_drives_an_optimizer():
    model = make_segmenter(ModelConfig("tiny", image_size=64))
    optimizer = torch.optim.AdamW(model.parameter_groups(1e-4), weight_decay=0.05)
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
