import math
from functools import partial

import pytest
import torch

from dsflash_ros.errors import ConfigError
from dsflash_ros.model.config import ModelConfig
from dsflash_ros.model.segmenters import make_segmenter
from dsflash_ros.training.run.schedules import (
    cosine_with_warmup,
    poly,
    steps,
    two_stage_scheduler,
    two_stages,
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
    total, decay = 2000, partial(poly, power=power)
    for step in range(total + 1):
        found = [two_stages(step, backbone, warmup, total, decay) for backbone in (False, True)]
        assert found == pytest.approx(eomt_factors(step, *warmup, total, power), abs=1e-12)
    # EoMT's would be a complex number
    assert two_stages(total + 5, True, warmup, total, decay) == 0


def test_steps_are_mask2formers():
    """A tenth at 0.9 and 0.95 of 368,750 steps, ten of them a warm-up."""
    factors = [two_stages(s, False, (10, 0), 368_750, steps) for s in range(0, 368_750, 25)]
    assert factors[:2] == [0, 1] and two_stages(5, True, (10, 0), 368_750, steps) == 0
    assert two_stages(10, True, (10, 0), 368_750, steps) == 1
    falls = [25 * i / 368_750 for i in range(2, len(factors)) if factors[i] != factors[i - 1]]
    assert falls == pytest.approx([0.9, 0.95], abs=1e-4)
    assert factors[-1] == pytest.approx(0.01)


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
