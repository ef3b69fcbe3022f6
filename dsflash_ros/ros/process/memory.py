"""Memory that the process holds on to, and how to let go of it."""

import ctypes
import gc
import sys

# Options of malloc.h, and sizes in bytes: keep up to 512 MiB, grow by 16 MiB, and take what is
# smaller than 512 MiB from the heap.
MALLOPT = {
    "M_TRIM_THRESHOLD": (-1, 512 << 20),
    "M_TOP_PAD": (-2, 16 << 20),
    "M_MMAP_THRESHOLD": (-3, 512 << 20),
}


def keep_freed_memory() -> None:
    """Have malloc keep what is freed, for the next image.

    By default glibc gives the memory of every image back to the system and faults it in again,
    page by page, for the next: milliseconds each time. Does nothing with another C library.
    """
    libc = ctypes.CDLL(None)
    if hasattr(libc, "mallopt"):
        for option, size in MALLOPT.values():
            libc.mallopt(option, size)


def freeze_objects() -> None:
    """Leave all Python objects that exist now out of later garbage collections.

    With torch there are 400,000 of them, and a full collection, which stops every thread, takes
    0.2 s. Afterwards it takes less than a millisecond, so that `sweep` can run all the time.
    """
    gc.collect()
    gc.freeze()


def thaw_objects() -> None:
    """Undo `freeze_objects`: what it left out is collected again once nobody uses it."""
    gc.unfreeze()


def sweep() -> None:
    """Collect the garbage of frames, and empty Python's free lists.

    CPython keeps up to 2,000 freed tuples of each length below 20 for reuse. A tuple made from a
    generator takes one of length 10 and gives back one of its own length (until Python 3.14, see
    https://github.com/python/cpython/issues/127058), so with graphs of varying size these lists
    grow for hours, by 200 bytes a graph. Only a full collection empties them, and with torch loaded
    Python makes one about never.
    """
    gc.collect()


def free_memory() -> None:
    """Give memory that nobody uses back to the system and the GPU."""
    gc.collect()
    if "torch" in sys.modules:
        sys.modules["torch"].cuda.empty_cache()
    libc = ctypes.CDLL(None)
    if hasattr(libc, "malloc_trim"):
        libc.malloc_trim(0)
