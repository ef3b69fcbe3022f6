"""Pipelines with exported models give the graphs that PyTorch gives."""

import numpy as np
import onnx_edits
import pytest
from places import ROOT

from dsflash_ros import Options, SceneGraphPipeline
from dsflash_ros.errors import DeviceError, MissingExtraError, OptionError, WeightsError
from dsflash_ros.export.scenes import random_scene
from dsflash_ros.pipeline.backends.choosing import check_backend
from dsflash_ros.pipeline.backends.openvino import check_openvino
from dsflash_ros.sources import open_source
from dsflash_ros.weights.loading import open_weights

LOOSE = Options(mask_threshold=0.3, overlap_threshold=0.3, relation_threshold=0.0)
BACKENDS = ("onnx", "openvino")
NAMES = "it must be one of auto, torch, onnx, openvino, tensorrt$"


@pytest.fixture(scope="module")
def images():
    """None is shrunk: Pillow and PyTorch may differ by a grey level, which untrained models see."""
    with open_source(f"{ROOT}/examples/photos") as photos:
        corners = [frame.rgb[100:148, 100:164] for frame in photos]
    return [*corners, random_scene(4, 64, 8).image, random_scene(2, 30, 8).image]


@pytest.fixture(scope="module", params=["exported_shapes", "exported_objects"])
def exported(request):
    return request.getfixturevalue(request.param)


@pytest.fixture(scope="module")
def plain(exported):
    return SceneGraphPipeline.from_weights(exported.checkpoint, device="cpu", precision="float32")


@pytest.fixture(scope="module", params=BACKENDS)
def pipeline(request, exported):
    pytest.importorskip({"onnx": "onnxruntime"}.get(request.param, request.param))
    return SceneGraphPipeline.from_weights(
        exported.folder, backend=request.param, precision="float32"
    )


def assert_same(graph, expected):
    assert [node.class_id for node in graph.nodes] == [node.class_id for node in expected.nodes]
    for node, other in zip(graph.nodes, expected.nodes, strict=True):
        assert node.score == pytest.approx(other.score, abs=1e-4)
        assert node.area == pytest.approx(other.area, rel=1e-3, abs=2)
    assert np.mean(graph.panoptic != expected.panoptic) < 1e-3
    scores = {(r.subject, r.object): r.score for r in expected.relations}
    assert {(r.subject, r.object) for r in graph.relations} == set(scores)
    for relation in graph.relations:
        expected_score = scores[relation.subject, relation.object]
        assert relation.score == pytest.approx(expected_score, abs=2e-3)


@pytest.mark.parametrize("low_resolution_masks", [False, True])
def test_graphs_are_pytorchs(pipeline, plain, images, low_resolution_masks):
    for one in (pipeline, plain):
        one.options = Options(
            mask_threshold=0.3,
            overlap_threshold=0.3,
            relation_threshold=0.0,
            low_resolution_masks=low_resolution_masks,
            pruning=low_resolution_masks,
            max_relations=10000,
        )
    batch, plain_batch = pipeline.batch(images), plain.batch(images)
    assert max(len(expected.relations) for expected in plain_batch) > 1
    for image, graph, expected in zip(images, batch, plain_batch, strict=True):
        assert_same(graph, expected)
        assert_same(pipeline(image), expected)


def test_given_segments_are_related_alike(pipeline, plain):
    scene = random_scene(6, 64, 8)
    given = scene.image, scene.labels, len(scene.class_ids), scene.class_ids
    found, expected = (one.relate_segments(*given).as_arrays() for one in (pipeline, plain))
    order, other = (np.lexsort(ranked.pairs.T) for ranked in (found, expected))
    assert len(order) == 2 * 45
    assert np.array_equal(found.pairs[order], expected.pairs[other])
    np.testing.assert_allclose(found.scores[order], expected.scores[other], atol=2e-3)


def test_trackers_see_the_same(pipeline, plain, images):
    for one in (pipeline, plain):
        one.options, one.for_trackers = LOOSE, True
    found, expected = pipeline(images[0]).appearance, plain(images[0]).appearance
    np.testing.assert_allclose(found, expected, atol=1e-3)


def test_openvino_takes_bfloat16_where_the_processor_has_it():
    pytest.importorskip("openvino")
    try:
        expected = check_openvino("cpu", "bfloat16")
    except DeviceError:
        expected = "float32"
    assert check_openvino("auto", "auto") == expected


def test_what_the_pipeline_says_of_itself(pipeline, plain):
    assert str(pipeline.device) == "cpu" and pipeline.precision == "float32"
    assert pipeline.vocabulary == plain.vocabulary and pipeline.relates
    assert pipeline.backend.parameters == plain.backend.parameters
    with pytest.raises(OptionError, match="in an exported form, which does not have it"):
        pipeline.options = Options(tome_ratio=0.3)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("torch", "cpu", "auto"), "are exported, which the backend torch does not run: use onnx"),
        (
            ("onnx", "cpu", "bfloat16"),
            "not bfloat16: leave precision at auto, or use the backend openvino$",
        ),
        (("onnx", "cpu", "float16"), "in float32, not float16: leave precision at auto$"),
        (("tf", "cpu", "auto"), f"unknown backend 'tf'; {NAMES}"),
        (("openvino", "cpu", "float16"), "computes in float32 or bfloat16, not float16"),
        (("openvino", "cuda", "auto"), "runs on the CPU, not on cuda: use device cpu"),
        (("tensorrt", "cpu", "auto"), "runs on cuda, not on cpu: use the backend onnx"),
        (("onnx", "tpu", "auto"), "unknown device 'tpu'; it must be auto, cpu, cuda or cuda:N"),
        (("onnx", "cpu", "auto", True), "compile is for the backend torch"),
    ],
)
def test_what_is_not_there_is_said(exported_shapes, arguments, message):
    pytest.importorskip("openvino")
    with pytest.raises(DeviceError, match=message):
        check_backend(arguments[0], open_weights(exported_shapes.folder), *arguments[1:])


@pytest.mark.parametrize("name", ["tf", "", None, ["torch"]])
def test_unknown_backends_of_a_checkpoint(name):
    with pytest.raises(DeviceError, match=f"unknown backend .*; {NAMES}"):
        check_backend(name, open_weights("toyroom"), "cpu", "auto")


def test_providers_that_are_not_there_are_named_with_what_works(exported_shapes):
    onnxruntime = pytest.importorskip("onnxruntime")
    if "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        pytest.skip("this machine has the provider")
    opened = open_weights(exported_shapes.folder)
    for name, device in (("onnx", "cuda:1"), ("tensorrt", "auto")):
        with pytest.raises(DeviceError, match="what works: the backend onnx with device cpu"):
            check_backend(name, opened, device, "auto")


def test_the_fastest_that_works_is_chosen(exported_shapes, monkeypatch):
    import sys

    onnxruntime = pytest.importorskip("onnxruntime")
    pytest.importorskip("openvino")
    opened = open_weights(exported_shapes.folder)
    assert check_backend("auto", opened, "cpu", "auto") == "openvino"
    given = ["CUDAExecutionProvider", "CPUExecutionProvider"]
    with monkeypatch.context() as patch:
        patch.setattr(onnxruntime, "get_available_providers", lambda: given)
        assert check_backend("auto", opened, "auto", "auto") == "onnx"
        assert check_backend("auto", opened, "cuda:1", "auto") == "onnx"
        assert check_backend("auto", opened, "cpu", "auto") == "openvino"
    with pytest.raises(DeviceError, match="float16"):
        check_backend("auto", opened, "cpu", "float16")

    def missing():
        raise ImportError(name="openvino")

    monkeypatch.setattr("dsflash_ros.pipeline.backends.openvino._core", missing)
    assert check_backend("auto", opened, "cpu", "auto") == "onnx"
    with pytest.raises(DeviceError, match="computes in float32, not bfloat16"):
        check_backend("auto", opened, "cpu", "bfloat16")
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'dsflash_ros\[runtime\]'"):
        check_backend("auto", opened, "cpu", "auto")


def test_checkpoints_are_for_torch():
    opened = open_weights("random")
    assert check_backend("auto", opened, "cpu", "auto") == "torch"
    with pytest.raises(DeviceError, match="dsflash export onnx random --out FOLDER"):
        check_backend("onnx", opened, "cpu", "auto")


def test_a_missing_library_is_named_with_the_one_that_is_here(exported_shapes, monkeypatch):
    import sys

    pytest.importorskip("openvino")
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    opened = open_weights(exported_shapes.folder)
    expected = r"pip install 'dsflash_ros\[runtime\]'; the backend openvino is here"
    with pytest.raises(MissingExtraError, match=expected):
        check_backend("onnx", opened, "auto", "auto")
    assert check_backend("auto", opened, "auto", "auto") == "openvino"


@pytest.mark.parametrize("backend", BACKENDS)
def test_damaged_graphs_and_labels_of_another_model(exported_shapes, tmp_path, backend):
    pytest.importorskip({"onnx": "onnxruntime"}.get(backend, backend))
    folder = onnx_edits.with_another_class(exported_shapes.folder, tmp_path / "labels")
    with pytest.raises(WeightsError, match="its labels are"):
        SceneGraphPipeline.from_weights(folder, backend=backend)
    folder = onnx_edits.with_a_broken_node(exported_shapes.folder, tmp_path / "broken")
    with pytest.raises(WeightsError, match=r"cannot load .*relations.onnx"):
        SceneGraphPipeline.from_weights(folder, backend=backend)
