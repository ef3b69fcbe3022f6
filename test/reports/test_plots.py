import pytest

pytest.importorskip("plotly", reason="needs the extra report")

from dsflash_ros.reports import plots


def test_all_latencies_are_in_the_histogram():
    fast = [10.0 + k % 7 for k in range(200)]
    figure = plots.histogram({"before": [5000.0, None, *fast], "after": [1.0, *fast]})
    assert [sum(trace["y"]) for trace in figure["data"]] == [201, 201]
    assert max(figure["data"][0]["x"]) < 20  # one slow frame does not flatten the rest
    assert figure["layout"]["barmode"] == "overlay"


@pytest.mark.parametrize("values", [[], [None], [12.5], [12.5, 12.5]])
def test_histograms_of_hardly_anything(values):
    (trace,) = plots.histogram({"latency": values})["data"]
    assert sum(trace["y"]) == len([value for value in values if value is not None])


def test_each_frame_has_a_mark_of_its_colour():
    figure = plots.timeline(
        ["a", "b<i>", "c"], {"F1": [0.1, None, 0.3]}, [0.12345, None, -0.5], (-1, 1), [2]
    )
    marks, pictures, line = figure["data"]
    assert marks["z"] == [[0.1235, None, -0.5]] and marks["text"] == [["a", "b&lt;i&gt;", "c"]]
    assert pictures["x"] == [2] and line["y"] == [0.1, None, 0.3]


def test_a_field_that_plotly_does_not_know_is_an_error():
    with pytest.raises(ValueError, match="barmode"):
        plots._figure([], barmode="sideways")
