"""Names of classes and predicates as words of plain English."""

import re

_MARKS = {"merged", "stuff", "other"}
"""Words of COCO's panoptic names that no person says, as in `wall-other-merged`."""


def plain_words(name: str) -> str:
    """`wall-other-merged` to `wall`, `Dining_Table` to `dining table`.

    Letters are lower case; COCO's marks are left out, unless nothing else is there.
    """
    words = re.split(r"[\s_-]+", name.strip().lower())
    said = [word for word in words if word not in _MARKS]
    return " ".join(said or words)
