"""Results of evaluations, made by hand."""

from dataclasses import asdict

from dsflash_ros.evaluation.report import Report
from dsflash_ros.evaluation.tables import PSG_TEST_IMAGES
from dsflash_ros.pipeline.options import Options


def report(
    size="base",
    protocol="sgdet",
    trained=("segmenter", "relations"),
    dataset=None,
    speed=True,
    **options,
):
    """A result on PSG's test split with recognizable numbers."""
    scores = {"mR@20": 0.1111, "mR@50": 0.2222, "mR@100": 0.3333, "mR@inf": 0.4444}
    timing = {
        "timed": 200,
        "warm_up": 200,
        "batch": 16,
        "segments_per_image": 9.5,
        "pairs_per_image": 80.8,
    }
    return Report(
        dataset={
            "name": "psg/psg.json",
            "split": "test",
            "images": PSG_TEST_IMAGES + 9,
            "of": PSG_TEST_IMAGES + 9,
            "vocabulary": "psg",
            "problems": {},
            **(dataset or {}),
        },
        protocol=protocol,
        weights={"name": "w.safetensors", "sha256": "0" * 64, "trained": list(trained)},
        model={"size": size, "backbone": "dinov3", "image_size": 640, "parameters": 114_400_000},
        options={
            **asdict(Options(relation_threshold=0.0, max_relations=0xFFFF)),
            **{"device": "cuda", "precision": "bfloat16", "compile": False},
            **options,
        },
        machine={"cpu": "a CPU", "cores": 8, "gpu": "a GPU"},
        relations={
            **scores,
            "images": PSG_TEST_IMAGES + 9,
            "images_without_relations": 9,
            "per_predicate": {},
        },
        panoptic=None,
        speed={"latency_ms": 12.34, "relations_per_second": 98765.4, **timing} if speed else None,
    )
