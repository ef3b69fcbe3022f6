"""A segmenter and a relation stage of a few lines each, as another package would bring them."""

import torch
import torch.nn.functional as F
from torch import nn

from dsflash_ros.model.relaters.relater import PairOutput, RelationStage
from dsflash_ros.model.segmenters.segmenter import MASK_STRIDE, Segmentation, Segmenter


class Stripes(Segmenter):
    """Sees vertical stripes in any image; learns their classes. Its features are colours."""

    feature_channels, feature_stride = 3, 8

    def __init__(self, stripes, num_classes):
        super().__init__()
        known = F.one_hot(torch.arange(stripes) % num_classes, num_classes + 1)
        self.class_logits = nn.Parameter(20 * known.float())
        self.sharpness = nn.Parameter(torch.tensor(9.0))

    def forward(self, images):
        side, stripes = images.shape[-1] // MASK_STRIDE, len(self.class_logits)
        stripe = torch.arange(side, device=images.device) * stripes // side
        masks = (stripe == torch.arange(stripes, device=images.device).unsqueeze(1)) * 2 - 1
        mask_logits = self.sharpness * masks.unsqueeze(1).expand(len(images), -1, side, -1)
        class_logits = self.class_logits.expand(len(images), -1, -1)
        features = F.avg_pool2d(images, self.feature_stride).to(self.sharpness.dtype)
        return Segmentation(mask_logits, class_logits, features)


class Boxes(RelationStage):
    """A linear map of two boxes, two classes and the image's colour, one for each direction."""

    def __init__(self, channels, image_size, num_classes, num_predicates, colours):
        super().__init__()
        self.cell, self.grid, self.num_predicates = 16, image_size // 16, num_predicates
        self.colour = nn.Linear(channels, colours)
        self.head = nn.Linear(2 * (4 + num_classes) + colours, num_predicates + 1)

    def prepare(self, features):
        return self.colour(features.mean((2, 3)))

    def relate(self, inputs):
        a, b = inputs.pairs.unbind(1)
        segments = torch.cat((inputs.boxes, inputs.class_probabilities), dim=1)
        segments, colour = segments.to(inputs.prepared), inputs.prepared[inputs.images[a]]
        both = [torch.cat((segments[s], segments[o], colour), 1) for s, o in ((a, b), (b, a))]
        directions = torch.stack(both, dim=1)
        return PairOutput(self.head(directions).float(), directions)

    def rescale(self, slope, intercept):
        with torch.no_grad():
            self.head.weight[0] *= slope
            self.head.bias[0] = slope * self.head.bias[0] - intercept


def make_stripes(config):
    return Stripes(config.segmenter_settings["stripes"], config.num_classes)


def make_boxes(config, channels, stride):
    colours = config.relater_settings.get("colours", 2)
    sizes = (config.image_size, config.num_classes, config.num_predicates)
    return Boxes(channels, *sizes, colours)
