"""What sgbench says, for `test_sgbench_parity.py`. Runs under an interpreter that has it.

python sgbench_reference.py graphs < cases.json       matching and recalls of each case
python sgbench_reference.py file ANNOTATIONS PREDICTIONS MASKS    the scores of an exported file
"""

import json
import sys

import numpy as np
from sgbench.file import evaluate
from sgbench.match import match_instances, remap_triplets
from sgbench.metrics import instance_recall, recall


def graph(case, ks, num_predicates):
    masks = [
        np.array(case[k]) == np.arange(len(case[c]))[:, None, None]
        for k, c in (("truth", "truth_classes"), ("labels", "classes"))
    ]
    matching = match_instances(
        masks[0], np.array(case["truth_classes"]), masks[1], np.array(case["classes"], int)
    )
    told = {"matching": matching.tolist()}
    is_tie = len(set(matching[matching >= 0])) < (matching >= 0).sum()
    if is_tie:  # sgbench gives two halves of an object two attempts; its recalls are compared still
        matching = np.array(case["matching"], int)
    truth = np.unique(np.array(case["relations"]), axis=0)
    matched = remap_triplets(matching, np.array(case["predicted"], int).reshape(-1, 3))
    for k in ks:
        told[f"R@{k}"] = recall(k, False, truth, matched, num_predicates)
        told[f"mR@{k}"] = recall(k, True, truth, matched, num_predicates).tolist()
    return {**told, "instance_recall": instance_recall(len(masks[0]), matching)}


if __name__ == "__main__":
    if sys.argv[1] == "graphs":
        given = json.load(sys.stdin)
        print(
            json.dumps(
                [graph(case, given["ks"], given["num_predicates"]) for case in given["cases"]]
            )
        )
    else:
        print(json.dumps({key: float(value) for key, value in evaluate(*sys.argv[2:]).items()}))
