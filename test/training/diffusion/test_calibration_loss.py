import pytest
import torch

from dsflash_ros.training.diffusion.calibration_loss import calibration_loss


def maps():
    return torch.randn(2, 5, 4, 4).softmax(1)


def test_it_is_the_sum_of_differences_at_a_place():
    student, teacher = maps(), maps()
    expected = 0.0
    for image in range(2):
        for y in range(4):
            for x in range(4):
                for token in range(5):
                    gap = student[image, token, y, x] - teacher[image, token, y, x]
                    expected += abs(float(gap)) / 32
    assert float(calibration_loss(student, teacher, 3.0)) == pytest.approx(3 * expected, rel=1e-5)
    assert calibration_loss(teacher, teacher) == 0


def test_opposite_attention_is_the_most():
    student, teacher = torch.zeros(1, 2, 3, 3), torch.zeros(1, 2, 3, 3)
    student[:, 0], teacher[:, 1] = 1, 1
    assert calibration_loss(student, teacher) == 2


def test_tokens_in_another_order_are_other_tokens():
    teacher = maps()
    order = torch.tensor([1, 0, 2, 3, 4])
    assert calibration_loss(teacher[:, order], teacher) > 0.05


def test_maps_of_other_lengths_are_refused():
    with pytest.raises(ValueError, match="maps of shapes"):
        calibration_loss(maps()[:, :4], maps())
