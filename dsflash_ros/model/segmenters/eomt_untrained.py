"""An untrained EoMT that finds something, for trying the machinery without weights."""

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from dsflash_ros.model.segmenters.eomt import EoMT


@torch.inference_mode()
def make_decisive(
    segmenter: "EoMT",
    noise: torch.Tensor,
    sure_queries: int = 10,
    coverage: float = 0.1,
    sharpness: float = 6.0,
) -> None:
    """Let a few queries be sure of a class and of a small mask, so that graphs have nodes.

    Fresh weights give every class about the same probability, and no query would pass the
    threshold. The class head is sharpened and "no object" raised until only `sure_queries` beat it
    on `noise`, a smooth image. Their masks are made smooth by the upscaling, made to differ (their
    mean is taken away), sharpened, and lowered until each covers about the share `coverage`. (The
    lowering uses the last LayerNorm: its output sums to zero but for its bias, so that a constant
    bias on both sides of the product shifts all mask logits alike.)
    """
    last, pixels = segmenter.mask_head[-1], segmenter.upscale[-1].norm
    outputs = []
    hook = last.register_forward_hook(lambda module, inputs, output: outputs.append(output[0]))
    for block in segmenter.upscale:
        mean = block.conv1.weight.mean((2, 3), keepdim=True)
        block.conv1.weight.copy_(mean.expand_as(block.conv1.weight))
        block.conv2.weight.fill_(1 / 9)
    segmenter.class_head.weight.mul_(100)[-1] = 0
    found = segmenter(noise)
    hook.remove()
    best = found.class_logits[0, :, :-1].max(-1).values.sort(descending=True)
    segmenter.class_head.bias[-1] = best.values[sure_queries - 1 : sure_queries + 1].mean()
    sure = best.indices[:sure_queries]
    last.bias.sub_(outputs[0][sure].mean(0))
    logits = segmenter(noise).mask_logits[0, sure]
    scale = sharpness / logits.std()
    last.weight.mul_(scale)
    last.bias.mul_(scale).sub_(1)
    pixels.bias.fill_((logits * scale).flatten()[::7].quantile(1 - coverage) / len(last.bias))
