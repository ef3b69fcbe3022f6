"""What rerun's window shows at first, and the names of all that is in it."""

import rerun.blueprint as rrb

SCENE = "scene"
"""In space; below it the camera, `objects` and `relations`."""

CAMERA = "scene/camera"
"""Below it what lies on the image: `image`, `segments`, `things`, `stuff`."""

GRAPH, TRIPLETS, LATENCY = "graph", "relations", "latency"

STAMP, NUMBER = "stamp", "number"
"""Timelines: by the images' stamps, and by the graphs' numbers, from 1."""


_BOUNDS = rrb.VisualBounds2D(x_range=(-460, 460), y_range=(-340, 340))
"""What of `drawing.diagram` is to be seen at first: most of it."""


def layout(timeline: str, has_space: bool) -> rrb.Blueprint:
    """Image, graph, plots, and space where graphs have positions."""
    image = rrb.Spatial2DView(origin=CAMERA, name="Image")
    graph = rrb.GraphView(origin=GRAPH, name="Graph", visual_bounds=_BOUNDS)
    latency = rrb.TimeSeriesView(
        origin=LATENCY, name="Latency, ms", plot_legend=rrb.PlotLegend(rrb.Corner2D.LeftTop)
    )
    relations = rrb.TextDocumentView(origin=TRIPLETS, name="Relations, best first")
    left = rrb.Vertical(image, rrb.Horizontal(latency, relations), row_shares=[3, 1])
    return rrb.Blueprint(
        rrb.Horizontal(left, rrb.Vertical(_space(), graph) if has_space else graph),
        rrb.BlueprintPanel(state="collapsed"),
        rrb.SelectionPanel(state="collapsed"),
        rrb.TimePanel(state="collapsed", timeline=timeline, play_state="following"),
        auto_views=False,
    )


def _space() -> rrb.Spatial3DView:
    """Objects and camera, whose image has no masks and boxes there."""
    flat = [f"- {CAMERA}/{name}" for name in ("segments", "things", "stuff")]
    return rrb.Spatial3DView(origin=SCENE, name="Space", contents=[f"{SCENE}/**", *flat])
