"""What gpsd-py3 sees, for `heng edge check` alone.

Its calls block, cannot time out and raise bare exceptions, so they run in a process of their own that is
killed when it takes too long. The driver itself never uses it.
"""

import asyncio
import sys

from edge.driver import ProbeLine

TIMEOUT_S = 5.0


async def second_opinion(name: str, host: str, port: int) -> ProbeLine:
    """Ask gpsd through gpsd-py3 and say what it answered."""
    what = f"{name}: gpsd-py3 at {host} port {port}"
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "edge.drivers.gnss.gpsd_py3",
        host,
        str(port),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(TIMEOUT_S):
            said, complaint = await process.communicate()
    except TimeoutError:
        return ProbeLine(what, ok=False, answer=f"no answer within {TIMEOUT_S:.0f} s")
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    lines = (said or complaint).decode(errors="replace").strip().splitlines()
    return ProbeLine(what, ok=process.returncode == 0, answer=lines[-1][:200] if lines else "nothing")
