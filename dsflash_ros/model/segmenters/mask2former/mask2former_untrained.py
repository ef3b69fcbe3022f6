"""An untrained Mask2Former that finds something, for trying the machinery without weights."""

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from dsflash_ros.model.segmenters.mask2former.mask2former import Mask2Former


@torch.inference_mode()
def make_decisive(
    segmenter: "Mask2Former",
    noise: torch.Tensor,
    sure_queries: int = 10,
    coverage: float = 0.1,
    sharpness: float = 6.0,
    rounds: int = 4,
) -> None:
    """Let a few queries be sure of a class and of a small mask, so that graphs have nodes.

    Fresh weights give every class about the same probability, and no query would pass the
    threshold. Masks are made smooth (the finest map is left out of them), made to differ (their
    mean is taken away), sharpened, and lowered until each covers about the share `coverage` of
    `noise`, a smooth image. As masks steer the attention that they come from, this takes some
    rounds. One channel of the mask features becomes the constant 1, which lowers all masks alike.
    Then the class head is sharpened, and "no object" raised until only `sure_queries` beat it.
    """
    decoder, embedding = segmenter.decoder, segmenter.pixel_decoder.embedding
    last = decoder.mask_head[-1]
    embedding.lateral[1].weight.zero_()
    embedding.project.weight[0] = 0
    embedding.project.bias[0] = 1
    last.weight[0] = 0
    last.bias[0] = 0
    outputs = []
    hook = last.register_forward_hook(lambda module, inputs, output: outputs.append(output[0]))
    for _ in range(rounds):
        height = last.bias[0].clone()
        logits = segmenter(noise).mask_logits[0] - height
        last.bias[1:] -= outputs[-1].mean(0)[1:]
        logits = logits - logits.mean(0)
        scale = sharpness / logits.std()
        last.weight.mul_(scale)
        last.bias[1:] *= scale
        last.bias[0] = -(logits * scale).flatten()[::7].quantile(1 - coverage)
    hook.remove()
    decoder.class_head.weight.mul_(100)[-1] = 0
    best = segmenter(noise).class_logits[0, :, :-1].max(-1).values.sort(descending=True).values
    decoder.class_head.bias[-1] = best[sure_queries - 1 : sure_queries + 1].mean()
