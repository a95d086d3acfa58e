"""The layout of memory, seen from a process of its own: what one has done to its heap cannot be undone."""

import subprocess
import sys

ANSWERS = 20_000
MOVED_BYTES_MAX = 64 * 1024
PROGRAM = f"""
import asyncio, ctypes, socket
from collections import deque
from edge.heap import keep_large_blocks_apart

bytearray(512 * 1024)  # freed at once: glibc now takes blocks of up to this size from the heap
keep_large_blocks_apart()
sbrk = ctypes.CDLL(None).sbrk
sbrk.restype = ctypes.c_void_p

class Keeper(asyncio.Protocol):
    def __init__(self):
        self.kept, self.came = deque(maxlen=10), asyncio.Event()

    def data_received(self, data):
        self.kept.append(data)
        self.came.set()

async def main():
    here, there = socket.socketpair()
    _, keeper = await asyncio.get_running_loop().create_connection(Keeper, sock=here)
    for count in range({ANSWERS}):
        keeper.came.clear()
        there.send(bytes(40))
        await keeper.came.wait()
        if count == 100:
            began = sbrk(0)
    print(sbrk(0) - began)

asyncio.run(main())
"""


def test_end_of_heap_does_not_move_on_with_answers() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    assert int(done.stdout) < MOVED_BYTES_MAX
