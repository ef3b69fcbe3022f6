import pytest
import torch
import torch.nn.functional as F
from torch import nn

from dsflash_ros.model.layers.named_logits import OpenLogits, make_logits, scale_none


def plain_logits(layer, x):
    """One by one."""
    words = x @ layer.project.weight.T + layer.project.bias
    rows = []
    for word in words:
        cosines = [F.cosine_similarity(word, name, dim=0) for name in layer.names]
        rows.append(torch.stack(cosines) * layer.log_scale.exp() + layer.shift)
    none = x @ layer.none.weight[0] + layer.none.bias
    parts = (none.unsqueeze(1), torch.stack(rows))
    return torch.cat(parts if layer.none_first else parts[::-1], dim=1)


@pytest.mark.parametrize("none_first", [True, False])
def test_logits_are_scaled_cosines(none_first):
    torch.manual_seed(0)
    layer = OpenLogits(12, 7, 5, none_first).double()
    layer.set_names(F.normalize(torch.randn(5, 7, dtype=torch.float64), dim=1))
    nn.init.normal_(layer.shift)
    x = torch.randn(9, 12, dtype=torch.float64)
    torch.testing.assert_close(layer(x), plain_logits(layer, x), rtol=0, atol=1e-12)


def test_other_names():
    torch.manual_seed(0)
    layer = OpenLogits(12, 7, 5, none_first=True)
    x = torch.randn(3, 4, 12)
    before = layer(x)
    more = torch.cat((layer.names[[3, 1]], F.normalize(torch.randn(1, 7), dim=1)))
    layer.set_names(more)
    after = layer(x)
    assert after.shape == (3, 4, 4)
    torch.testing.assert_close(after[..., 0], before[..., 0])
    torch.testing.assert_close(after[..., 1], before[..., 4])
    torch.testing.assert_close(after[..., 2], before[..., 2])


@pytest.mark.parametrize("text_dim", [0, 7])
def test_only_none_is_scaled(text_dim):
    torch.manual_seed(0)
    layer = make_logits(6, 4, text_dim, none_first=True)
    x = torch.randn(5, 6)
    before = layer(x).detach()
    scale_none(layer, 1.5, -0.25)
    after = layer(x)
    torch.testing.assert_close(after[:, 0], 1.5 * before[:, 0] - 0.25)
    torch.testing.assert_close(after[:, 1:], before[:, 1:])


def test_a_closed_head_is_a_linear_layer():
    layer = make_logits(6, 4, 0, none_first=True)
    assert type(layer) is nn.Linear and layer.out_features == 5
