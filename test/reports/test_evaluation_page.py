"""`dsflash eval --report`, looked at in a browser."""

import json
import statistics
import sys

import pytest

pytest.importorskip("tifffile")
pytest.importorskip("jinja2", reason="needs the extra report")
pytest.importorskip("plotly", reason="needs the extra report")

from places import ROOT
from seen_pages import addresses, click_frame, is_narrow, panel, point_of_frame, said, wrong_numbers
from shapes_weights import write_weights

from dsflash_ros.cli import main
from dsflash_ros.data.psg import PsgDataset
from dsflash_ros.data.shapes import write_shapes
from dsflash_ros.evaluation.report import Report
from dsflash_ros.evaluation.runner import evaluate
from dsflash_ros.pipeline.options import Options
from dsflash_ros.pipeline.pipeline import SceneGraphPipeline
from dsflash_ros.reports.evaluation_details import WORST, EvaluationDetails
from dsflash_ros.reports.evaluation_page import write_evaluation

DRIVE = ROOT / "examples" / "drive"

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("one_thread")]

EVIL = "<script>document.title='broken'</script><b>'\"&"


@pytest.fixture(scope="module")
def shapes(tmp_path_factory):
    """Twelve test images and tiny weights."""
    folder = tmp_path_factory.mktemp("shapes")
    write_shapes(folder, 12, test_share=1.0, height=64, width=80)
    write_weights(folder)
    return folder


@pytest.fixture(scope="module")
def drive(tmp_path_factory):
    """The page and the JSON of the first images of the recorded drive."""
    folder = tmp_path_factory.mktemp("drive")
    page, scores = folder / "pages" / "drive.html", folder / "drive.json"
    command = ["eval", str(DRIVE), "--limit", "10", "--device", "cpu"]
    assert main([*command, "--json", str(scores), "--report", str(page)]) == 0
    return page, scores


def test_the_numbers_are_those_of_the_json(drive, visit):
    page = visit(drive[0])
    assert wrong_numbers(page, drive[1]) == []
    named = {tuple(path) for path, *_ in said(page)}
    assert {("relations", "R@20"), ("panoptic", "PQ"), ("relations", "mR@inf")} <= named
    assert ("relations", "per_predicate", "on", "R@50") in named
    assert ("panoptic", "per_class", "cup", "PQ") in named
    assert page.title() == "toyroom on examples/drive"


def test_the_numbers_of_the_frames_make_those_of_the_whole(drive, visit):
    page, scores = visit(drive[0]), json.loads(drive[1].read_text())
    frames = []
    for number in range(10):
        page.locator("#slider").fill(str(number))
        frames.append(panel(page))
    for k in (20, 50, 100):
        mean = statistics.mean(frame[f"R@{k}"][0] for frame in frames)
        assert mean == pytest.approx(scores["relations"][f"R@{k}"])
    told = scores["relations"]["thresholds"]["0.3"]
    assert statistics.mean(f["told"][0] for f in frames) == pytest.approx(told["relations"])
    right = sum(frame["told and true"][0] for frame in frames)
    assert right / sum(f["told"][0] for f in frames) == pytest.approx(told["precision"])
    assert all(frame["latency"][0] > 0 for frame in frames)


def test_frames_are_chosen_by_click_and_keys(drive, visit):
    page = visit(drive[0])
    shown = page.locator("#name")
    click_frame(page, 7)
    assert shown.text_content() == "frame 7: 2.166667"
    page.keyboard.press("ArrowRight")
    assert shown.text_content().startswith("frame 8:")
    page.locator("#previous").click()
    page.keyboard.press("ArrowLeft")
    assert shown.text_content().startswith("frame 6:")
    for _ in range(12):
        page.keyboard.press("ArrowLeft")
    assert shown.text_content().startswith("frame 0:")


def test_the_worst_images_are_shown_with_both_sides(drive, visit):
    page = visit(drive[0])
    worst = page.locator("article.worst")
    assert worst.count() == WORST
    assert page.locator("article.worst img").count() == 2 * WORST
    widths = page.evaluate("[...document.querySelectorAll('img')].map((i) => i.naturalWidth)")
    assert widths and set(widths) <= {0, 640}  # 0: the empty one that shows pictures large
    values = []
    for number in range(WORST):
        worst.nth(number).locator("button").click()
        values.append(panel(page)["R@50"][0])
        assert page.locator("#pictures img").count() == 2
    assert values == sorted(values)
    missed = worst.nth(0).locator("details li").first
    assert missed.text_content() == page.locator("#notes li").first.text_content()
    page.locator("#pictures img").first.click()
    assert page.locator("#large img").is_visible()
    page.mouse.click(3, 3)
    assert not page.locator("#large").is_visible()


def test_it_fits_a_phone_and_follows_the_system_into_the_dark(drive, visit):
    page = visit(drive[0], width=390, scheme="dark", touch=True)
    assert is_narrow(page)
    paper = "getComputedStyle(document.body).backgroundColor"
    font = "document.getElementById('recall-plot')._fullLayout.font.color"
    dark = page.evaluate(paper), page.evaluate(font)
    page.emulate_media(color_scheme="light")
    page.wait_for_function(f"{font} !== '{dark[1]}'")
    assert page.evaluate(paper) != dark[0]
    assert is_narrow(page)


def test_tables_are_sorted_by_a_click(drive, visit):
    page = visit(drive[0])
    column = (
        "[...document.querySelectorAll('#classes td:nth-child(3)')].map((c) => +c.dataset.value)"
    )
    page.locator("#classes th", has_text="PQ").click()
    values = page.evaluate(column)
    assert len(values) > 5 and values == sorted(values, reverse=True)
    page.locator("#classes th", has_text="PQ").click()
    assert page.evaluate(column) == sorted(values)


def test_the_file_names_no_other_place(drive):
    assert addresses(drive[0].read_text()) == []
    assert drive[0].stat().st_size < 15e6


def observed(shapes, **changes):
    dataset = PsgDataset.open(shapes, "test")
    options = Options(relation_threshold=0.0, max_relations=0xFFFF, mask_threshold=0.0)
    weights = shapes / "whole.safetensors"
    pipeline = SceneGraphPipeline.from_weights(weights, options=options, device="cpu")
    details = EvaluationDetails(dataset.vocabulary, pipeline.weights, pipeline.relates)
    scores = evaluate(pipeline, dataset, "sgdet", observers=[details]).results()
    parts = {
        "dataset": {"name": EVIL, "split": EVIL, "images": 12, "of": 12, "vocabulary": "other"},
        "protocol": "sgdet",
        "weights": {"name": EVIL, "sha256": None, "trained": ["segmenter", "relations"]},
        "model": {"size": "tiny", "backbone": EVIL, "image_size": 64, "parameters": 1},
        "options": {"device": "cpu", "precision": EVIL},
        "machine": {"cpu": EVIL, "cores": 1, "gpu": EVIL},
        "speed": None,
        **scores,
    }
    return Report(**{**parts, **changes}), details


def renamed(scores):
    """The same with an evil name in place of the first."""
    first, *rest = scores.items()
    return dict([(EVIL, first[1]), *rest])


def test_names_are_text_and_nothing_else(shapes, tmp_path, visit):
    tracking = {EVIL: 1.5, "raw": {EVIL: {"F1": 0.25}}, "tracked": {EVIL: {"F1": None}}}
    report, details = observed(shapes, tracking=tracking)
    occurring = {n: s for n, s in report.relations["per_predicate"].items() if s["relations"]}
    report.relations["per_predicate"] = renamed(occurring)
    report.panoptic["per_class"] = renamed(report.panoptic["per_class"])
    details.worst[0].missed.append(EVIL)
    write_evaluation(tmp_path / "evil.html", report, details)
    report.write(tmp_path / "evil.json")
    page = visit(tmp_path / "evil.html")
    assert page.title() == f"{EVIL} on {EVIL}"
    for table in ("predicates", "classes", "tracking", "settings"):
        assert EVIL in page.locator(f"#{table} td").all_text_contents(), table
    assert EVIL in page.locator("#worst li").all_text_contents()
    assert f"{EVIL}: F1" in page.locator("#tracking td").all_text_contents()
    assert page.locator("main script, main b:not(.card b)").count() == 0


def test_names_in_plots_are_text(shapes, tmp_path, visit):
    report, details = observed(shapes)
    details.images[0] = type(details.images[0])(**{**vars(details.images[0]), "name": EVIL})
    write_evaluation(tmp_path / "evil.html", report, details)
    page = visit(tmp_path / "evil.html")
    page.mouse.move(*point_of_frame(page, 0))
    page.wait_for_selector(".hoverlayer text")
    assert EVIL in page.locator(".hoverlayer").first.text_content()


def test_few_pictures_are_kept(shapes):
    _, details = observed(shapes)
    assert len(details.images) == 12 and len(details.worst) == WORST
    qualities = [image.quality for image in details.images]
    assert [qualities[image.number] for image in details.worst] == sorted(qualities)[:WORST]
    assert all(len(image.true_jpeg) < 50_000 for image in details.worst)


@pytest.mark.parametrize(
    ("weights", "arguments"),
    [("segmenter", ()), ("whole", ("--protocol", "predcls")), ("whole", ("--limit", "1"))],
)
def test_pages_of_other_evaluations(shapes, weights, arguments, tmp_path, visit):
    page, scores = tmp_path / "page.html", tmp_path / "scores.json"
    names = "--weights", str(shapes / f"{weights}.safetensors"), "--json", str(scores)
    assert main(["eval", str(shapes), *names, "--report", str(page), *arguments]) == 0
    opened = visit(page)
    assert wrong_numbers(opened, scores) == []
    assert opened.locator("article.worst img").count() >= 2


def test_what_is_in_the_way_is_told_before_the_work(shapes, tmp_path, capsys, monkeypatch):
    there = tmp_path / "there.html"
    there.write_text("precious")
    command = ["eval", str(shapes), "--weights", str(shapes / "whole.safetensors")]
    assert main([*command, "--report", str(there)]) == 1
    out, err = capsys.readouterr()
    assert out == "" and "there.html is there already; give --overwrite" in err
    with pytest.raises(SystemExit):
        main([*command, "--report", str(tmp_path / "x"), "--json", str(tmp_path / "x")])
    assert "--json and --report cannot both write" in capsys.readouterr().err
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "plotly", None)
        assert main([*command, "--report", str(tmp_path / "new.html")]) == 1
    out, err = capsys.readouterr()
    assert out == "" and "pip install 'dsflash_ros[report]'" in err and err.count("\n") == 1
    assert there.read_text() == "precious" and list(tmp_path.iterdir()) == [there]
    assert main([*command, "--limit", "1", "--report", str(there), "--overwrite"]) == 0
    assert there.read_text().startswith("<!doctype html>")
