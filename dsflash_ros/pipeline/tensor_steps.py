"""What is done before and after the network, on PyTorch's tensors: on a GPU, where they stay."""

from dsflash_ros.model.ranking import rank_relations
from dsflash_ros.pipeline.backends.base import Steps
from dsflash_ros.pipeline.resizing import network_input
from dsflash_ros.pipeline.segment_pairs import pairs_of_found, pairs_of_labels
from dsflash_ros.pipeline.segments import merge_segments

TENSOR_STEPS = Steps(network_input, merge_segments, pairs_of_found, pairs_of_labels, rank_relations)
