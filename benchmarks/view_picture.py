"""Make docs/view.jpg: what `dsflash view` shows of the recorded drive, in a headless Chromium.

python benchmarks/view_picture.py [PICTURE]
"""

import argparse
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np
from view import PORT, START_S, opened_page, page_in, process

VIEW = ("view", "examples/drive", "--track", "--target-frame", "map", "--limit", 18)


def main() -> None:
    """Run the command, wait for its page, and take a picture of it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("picture", nargs="?", type=Path, default=Path("docs/view.jpg"))
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder, "view")
        with process(log, *VIEW, "--no-browser", "--port", PORT):
            end = time.monotonic() + START_S
            while "Ctrl-C ends it" not in log.read_text() and time.monotonic() < end:
                time.sleep(0.1)
            with opened_page(page_in(log), width=1280, height=800) as page:
                shot = page.screenshot(timeout=START_S * 1000)
    image = cv2.imdecode(np.frombuffer(shot, np.uint8), cv2.IMREAD_COLOR)
    cv2.imwrite(str(args.picture), image, [cv2.IMWRITE_JPEG_QUALITY, 80])
    print(f"written: {args.picture}")


if __name__ == "__main__":
    main()
