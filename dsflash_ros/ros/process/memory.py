"""Memory that the process holds on to, and how to let go of it."""

import ctypes
import gc
import sys

# options of malloc.h and sizes in bytes: keep up to 512 MiB, grow by 16 MiB, map nothing separately
# that is smaller
MALLOPT = {
    "M_TRIM_THRESHOLD": (-1, 512 << 20),
    "M_TOP_PAD": (-2, 16 << 20),
    "M_MMAP_THRESHOLD": (-3, 512 << 20),
}


def keep_freed_memory() -> None:
    """Have malloc keep what is freed, for the next image.

    By default glibc gives the memory of every image back to the system and faults it in again, page
    by page, for
    the next: milliseconds each time. Does nothing with another C library.
    """
    libc = ctypes.CDLL(None)
    if hasattr(libc, "mallopt"):
        for option, size in MALLOPT.values():
            libc.mallopt(option, size)


def free_memory() -> None:
    """Give memory that nobody uses back to the system and the GPU."""
    gc.collect()
    if "torch" in sys.modules:
        sys.modules["torch"].cuda.empty_cache()
    libc = ctypes.CDLL(None)
    if hasattr(libc, "malloc_trim"):
        libc.malloc_trim(0)
