"""Scores of tracks as text."""

from dsflash_ros.evaluation.position_errors import FAR_M, NEAR_M


def tracking_text(scores: dict) -> str:
    """The scores as lines of text."""
    raw, tracked = scores["raw"], scores["tracked"]
    lines = [
        f"tracking in {scores['frames']} frames: IDF1 {_percent(scores['IDF1'])}, HOTA "
        f"{_percent(scores['HOTA'])}, {scores['switches']:.1f} identity switches in 100 frames",
        "",
        f"{'':<34}{'each frame alone':>18}{'tracked':>12}",
    ]
    for what in ("objects", "relations"):
        for name in ("precision", "recall", "F1"):
            values = (_percent(side[what][name]) for side in (raw, tracked))
            lines.append("{:<34}{:>18}{:>12}".format(f"{what}: {name}", *values))
    changes = f"{raw['changes']:>18.1f}{tracked['changes']:>12.1f}"
    lines += [f"{'relations that begin or end, for':<34}{changes}", "each that truly does"]
    if scores["delay"] is not None:
        lines.append(f"a relation is told {scores['delay']:g} frames after it began (median)")
    if scores["positions"] is not None:
        lines.append(_positions_text(scores["positions"]))
    return "\n".join(lines)


def _positions_text(positions: dict[str, float]) -> str:
    centimetres = {name: f"{100 * m:.1f} cm" for name, m in positions.items() if m is not None}
    text = (
        f"positions at {NEAR_M:g} to {FAR_M:g} m: wrong by {centimetres['median']} (median), "
        f"{centimetres['90 %']} (nine in ten)"
    )
    if "spread" in centimetres:
        text += f"; those of an object are {centimetres['spread']} from their median"
    return text


def _percent(share: float | None) -> str:
    return "none" if share is None else f"{100 * share:.1f} %"
