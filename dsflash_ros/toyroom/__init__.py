"""toyroom: simulated rooms with exact panoptic scene graphs.

Rendering needs the extra `toyroom`.
"""

from dsflash_ros.graph.vocabulary import Vocabulary

VOCABULARY = Vocabulary.load("toyroom")
"""18 things, 12 stuff classes and 16 predicates, under COCO panoptic's and PSG's names."""
