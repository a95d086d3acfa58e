"""What `heng hub` and its single rooms have in common: logging, signals, exit codes."""

import asyncio
import logging
import os
import signal
import sys
from collections.abc import Callable, Coroutine, Mapping

from cloud.hub import run_hub
from cloud.settings import HubSettings, SettingsError
from cloud.store.migrate import SchemaError
from provisioning.errors import IdentityError

_SWITCH_S = 0.0005
"""The event loop shares the interpreter with the worker that opens batches, and must not wait 5 ms for it."""


def run_to_end(main: Coroutine[None, None, int]) -> int:
    """Run a hub process and end it with the code that `main` returns; what `main` raises is raised.

    The MQTT library connects in a thread that cannot be interrupted: with a broker that does not answer, an
    ordinary end would wait for its time-outs, of connection and of handshake. Nothing durable is open by now.
    """
    with asyncio.Runner() as runner:
        code = runner.run(main)
        logging.shutdown()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


async def run_process(
    settings: HubSettings,
    rooms: tuple[str, ...],
    *,
    environment: Mapping[str, str] = os.environ,
    reload_broker: Callable[[], None] | None = None,
) -> int:
    """Run rooms until SIGTERM or SIGINT and return the exit code."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    sys.setswitchinterval(_SWITCH_S)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    try:
        await run_hub(
            settings,
            rooms,
            environment=environment,
            stop=stop,
            ready=lambda where: print(f"heng: {where}", flush=True),
            reload_broker=reload_broker,
        )
    except SettingsError as error:
        for fault in error.faults:
            print(f"heng hub: {fault}", file=sys.stderr)
        return 2
    except IdentityError as error:
        print(f"heng hub: {error}", file=sys.stderr)
        return 2
    except (SchemaError, OSError) as error:
        print(f"heng hub: {error}", file=sys.stderr)
        return 1
    return 0
