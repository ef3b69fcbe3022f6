"""Which weights `SceneGraphPipeline.from_weights` takes, and what follows from what they are."""

from dataclasses import replace

import pytest
import torch
from media_files import picture

from dsflash_ros.errors import DeviceError, OptionError, WeightsError
from dsflash_ros.graph.vocabulary import Vocabulary
from dsflash_ros.model.checkpoints import save_checkpoint
from dsflash_ros.pipeline.options import Options
from dsflash_ros.pipeline.pipeline import SceneGraphPipeline
from dsflash_ros.weights.loading import check_weights


@pytest.fixture(scope="module")
def pipeline():
    return SceneGraphPipeline.from_weights("random", device="cpu")


def test_weights_that_learned_from_pruned_patches_get_no_others(pipeline, tmp_path):
    header = replace(check_weights("random"), recipe={"relations": {"pruning": True}})
    save_checkpoint(tmp_path / "pruned.safetensors", pipeline.model, header)
    pruned = SceneGraphPipeline.from_weights(tmp_path / "pruned.safetensors", device="cpu")
    pipeline.options = Options(pruning=True)
    expected = pipeline(picture(240, 320)).relations
    pipeline.options = pruned.options = Options(pruning=False)
    assert pruned.options.pruning and not pipeline.options.pruning
    assert pruned(picture(240, 320)).relations == expected != pipeline(picture(240, 320)).relations


def test_checkpoints_give_the_same_graphs(pipeline, tmp_path):
    path = tmp_path / "w.safetensors"
    save_checkpoint(path, pipeline.model, check_weights("random"))
    loaded = SceneGraphPipeline.from_weights(path, device="cpu", vocabulary=Vocabulary.psg())
    assert loaded.weights == str(path)
    graph = loaded(picture(240, 320))
    assert graph.is_trained
    assert graph.nodes == pipeline(picture(240, 320)).nodes


def test_weights_of_another_vocabulary():
    psg = Vocabulary.psg()
    other = Vocabulary(("cup",), ("floor",), ("on",))
    difference = "another vocabulary, 'person' for 'cup' among the things"
    with pytest.raises(WeightsError, match=difference):
        check_weights("random", other)
    with pytest.raises(WeightsError, match=difference):
        SceneGraphPipeline.from_weights("random", vocabulary=other)
    with pytest.raises(WeightsError, match="'over' for 'under' among the predicates"):
        check_weights("random", replace(psg, predicates=("under", *psg.predicates[1:])))


@pytest.mark.parametrize("weights", [None, 3, b"toyroom"])
def test_weights_that_are_no_name(weights):
    says = f"must be a name or a path, as 'toyroom' or 'model.safetensors', not {weights!r}"
    with pytest.raises(WeightsError, match=says):
        SceneGraphPipeline.from_weights(weights)


@pytest.mark.parametrize("threads", [-1, 1025, 2.5, True, None])
def test_threads_that_cannot_be(threads):
    says = f"threads must be a whole number from 0 to 1024, got {threads}"
    with pytest.raises(OptionError, match=says):
        SceneGraphPipeline.from_weights("random", threads=threads)


@pytest.mark.parametrize("options", [{}, {"max_segments": 3}, "fast"])
def test_options_that_are_none(pipeline, options):
    says = r"options must be an Options\(name=value, ...\), got "
    with pytest.raises(OptionError, match=says):
        SceneGraphPipeline.from_weights("random-tiny", device="cpu", options=options)
    before = pipeline.options
    with pytest.raises(OptionError, match=says):
        pipeline.options = options
    assert pipeline.options == before


@pytest.mark.parametrize("weights", ["randon", "random-huge", "random-", "/none.safetensors", ""])
def test_unknown_weights(weights):
    says = r"no weights at .*; give a .safetensors file of dsflash_ros, or toyroom, "
    with pytest.raises(WeightsError, match=says):
        SceneGraphPipeline.from_weights(weights)


def test_no_gpu_where_one_was_asked_for():
    with pytest.raises(DeviceError, match=r"PyTorch finds"):
        SceneGraphPipeline.from_weights("random", device=f"cuda:{torch.cuda.device_count()}")


def test_weights_without_a_trained_relation_stage_give_no_relations(pipeline, tmp_path, caplog):
    path = tmp_path / "segmenter.safetensors"
    save_checkpoint(path, pipeline.model, replace(check_weights("random"), trained=("segmenter",)))
    segmenter = SceneGraphPipeline.from_weights(path, device="cpu")
    assert "no trained relation stage" in caplog.text
    graph = segmenter(picture(240, 320))
    assert graph.nodes == pipeline(picture(240, 320)).nodes
    assert graph.relations == ()
