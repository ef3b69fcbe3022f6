import subprocess
import sys

import pytest

STEP = """
import resource, sys, torch
from dsflash_ros.model.config import ModelConfig
from dsflash_ros.model.dsflash import DSFlash
from dsflash_ros.model.relation import label_coverage
from dsflash_ros.training.relation_loss import PairInputs, batch_losses

model = DSFlash(ModelConfig(sys.argv[1]))
segments, pairs = 40, torch.combinations(torch.arange(40))[: int(sys.argv[2])]
labels = torch.randint(segments, (20, 20)).repeat_interleave(32, 0).repeat_interleave(32, 1)
with torch.no_grad():
    features = model.segmenter.features(torch.rand(1, 3, 640, 640))
stage = model.relations
coverage = label_coverage(labels, segments, model.config)
inputs = PairInputs(stage.embed_patches(features), coverage, torch.rand(segments, 4), torch.zeros(segments).long())
batch_losses(stage, inputs, pairs, torch.rand(len(pairs), 2, 57).round(), 1.0, 32)[0].backward()
print(len(pairs), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20)
"""


@pytest.mark.slow
@pytest.mark.parametrize(("size", "pairs"), [("tiny", 780), ("small", 96)])
def test_a_step_with_forty_segments_stays_below_four_gigabytes(size, pairs):
    """In a process of its own, the libraries included. (Small with fewer pairs, for time: groups of 32 bound it.)"""
    step = subprocess.run([sys.executable, "-c", STEP, size, str(pairs)], capture_output=True, text=True, check=True)
    count, gigabytes = step.stdout.split()
    assert int(count) == pairs
    assert float(gigabytes) < 4
