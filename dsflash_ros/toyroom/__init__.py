"""toyroom: simulated rooms with exact panoptic scene graphs.

`build` makes rooms, `physics` lets them settle, `camera` takes pictures of them, `truth` says what
is in a picture and how it is related, and `robot` acts in rooms. All of them but `truth.true_graph`
and `camera.sheet` need the extra `toyroom`, which is MuJoCo.
"""

from dsflash_ros.graph.vocabulary import Vocabulary

VOCABULARY = Vocabulary.load("toyroom")
"""18 things, 12 stuff classes and 16 predicates, with the names of COCO panoptic and of PSG."""
