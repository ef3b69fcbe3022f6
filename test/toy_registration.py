"""Makes the parts in `toy_plugs` known. Imports no torch."""

from dsflash_ros.model.relaters import register_relater
from dsflash_ros.model.segmenters import register_segmenter

register_segmenter("stripes", "toy_plugs:make_stripes")
register_relater("boxes", "toy_plugs:make_boxes")
