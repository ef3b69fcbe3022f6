"""The pipeline in a process of its own, for `dsflash bench load`.

python -m dsflash_ros.bench.frame_server SETTINGS

SETTINGS is JSON: the options by name, `source` and `size` of the frames, `parent`, the process that
starts this one and takes it along when it ends, and `group`, the folder of a control group that is
joined before PyTorch looks for cores, or null. Each number of seconds on stdin is answered with a
line of JSON on stdout; what cannot be used with one that has `error`, a sentence.
"""

import json
import os
import sys
import time
from itertools import islice
from pathlib import Path

from dsflash_ros.bench.busy import end_with
from dsflash_ros.errors import DSFlashError

FRAMES = 20
"""How many different frames come over and over."""


def main() -> None:
    """Load the model, say how many threads it has, then measure when asked to."""
    settings = json.loads(sys.argv[1])
    end_with(settings["parent"])
    if settings["group"]:
        Path(settings["group"], "cgroup.procs").write_text(str(os.getpid()))

    try:
        images = _images(settings)
        pipeline = _pipeline(settings)
    except DSFlashError as error:
        _answer({"error": str(error)})
        return

    import torch

    _answer({"threads": torch.get_num_threads()})
    for line in sys.stdin:
        _answer(_measure(pipeline, images, float(line)))


def _images(settings: dict) -> list:
    from dsflash_ros.bench.frame import frames_of, noise

    size = settings["size"] and tuple(settings["size"])
    source = settings["source"]
    return list(islice(frames_of(source, size) if source else noise(*size), FRAMES))


def _pipeline(settings: dict):
    from dsflash_ros.pipeline.choice import pipeline_of

    return pipeline_of(settings)


def _measure(pipeline, images: list, seconds: float) -> dict[str, float]:
    """Frames that come in that time, at least one; the first one, before it, does not count."""
    pipeline(images[-1])
    start = now = time.perf_counter()
    slowest, count = 0.0, 0
    while now < start + seconds:
        pipeline(images[count % len(images)])
        before, now = now, time.perf_counter()
        slowest = max(slowest, now - before)
        count += 1
    return {"frames": count, "seconds": now - start, "slowest ms": slowest * 1e3}


def _answer(result: dict) -> None:
    print(json.dumps(result), flush=True)


if __name__ == "__main__":
    main()
