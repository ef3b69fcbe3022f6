"""What is done before and after the network, on NumPy's arrays: for all that runs on a CPU.

Each module does what its namesake does on tensors: `array_resizing` what `resizing` does, and so
on. Tests hold them equal.
"""

from dsflash_ros.pipeline.arrays.array_pairs import pair_found_arrays, pair_labelled_arrays
from dsflash_ros.pipeline.arrays.array_ranking import rank_arrays
from dsflash_ros.pipeline.arrays.array_resizing import stack_images
from dsflash_ros.pipeline.arrays.array_segments import merge_on_arrays
from dsflash_ros.pipeline.backends.base import Steps

ARRAY_STEPS = Steps(
    stack_images, merge_on_arrays, pair_found_arrays, pair_labelled_arrays, rank_arrays
)
