"""Our model as a user gets it from a conversion, and how far it is from a reference."""

import torch

from dsflash_ros.conversion.convert import convert
from dsflash_ros.model.checkpoints import load_checkpoint, save_checkpoint


def converted(folder, source, **arguments):
    """Our model as a user gets it, its header, and what conversion said.

    Only that of a large model is not stored and loaded again, which takes gigabytes.
    """
    conversion = convert(source, **arguments)
    summary = "\n".join(conversion.summary)
    if conversion.header.config.size == "large":
        return conversion.model, conversion.header, summary
    save_checkpoint(folder / "ours.safetensors", conversion.model, conversion.header)
    return *load_checkpoint(folder / "ours.safetensors"), summary


def differ(ours, masks, classes, images):
    """The largest difference of our logits from those of a reference, which must say something."""
    with torch.inference_mode():
        found = ours.segmenter(images)
    assert found.mask_logits.shape == masks.shape and found.class_logits.shape == classes.shape
    assert masks.std() > 0.1 and classes.std() > 0.1, "a reference that says nothing proves nothing"
    return max(
        float((found.mask_logits - masks).abs().max()),
        float((found.class_logits - classes).abs().max()),
    )
