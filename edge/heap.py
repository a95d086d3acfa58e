"""How the process lays out its memory, so that it stays flat for months.

asyncio receives into blocks of 256 KiB and shrinks each to the bytes that came. glibc maps large blocks by
themselves until the first one was freed; from then on it takes them from the end of the heap, where every
answer that is still known to somebody keeps the next block from its own place: the end moves on, and what is
freed behind it fits no block. An answer in a cycle of objects stays until Python looks at old objects.
"""

import ctypes

LARGE_BYTES = 128 * 1024
_M_MMAP_THRESHOLD = -3


def keep_large_blocks_apart() -> bool:
    """Have blocks from `LARGE_BYTES` on mapped by themselves for ever; False where the C library cannot.

    A block that is received into then costs two system calls more, and a page as long as its bytes are held.
    The free end of the heap goes back to the system: while it is there, blocks are taken from it anyway.
    """
    try:
        library = ctypes.CDLL(None)
        kept = bool(library.mallopt(_M_MMAP_THRESHOLD, LARGE_BYTES))
        library.malloc_trim(0)
    except (AttributeError, OSError):
        return False
    return kept
