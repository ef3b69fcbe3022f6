"""An EoMT as others publish it: random weights in transformers' layout, with COCO's 133 classes."""

import torch
from reference_eomt import reference_model

ID = "org/coco_panoptic_eomt"


def published_files(folder):
    """The files of its repository, {name: content}; `folder` is where transformers saves them."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        reference = reference_model("small", "dinov2", 64, 133, num_queries=20)
    reference.save_pretrained(folder)
    return {path.name: path.read_bytes() for path in folder.iterdir()}
