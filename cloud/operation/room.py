"""The room of remote operation: ends a session when one of its conditions falls, and keeps its receipts."""

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime

from cloud.operation_acts import fallen, finish
from cloud.store import jobs_operation
from cloud.store.connection import Connection
from cloud.store.control_status import wake
from cloud.store.jobs_operation import RECEIPTS_FOR
from cloud.supervisor import supervise
from cloud.tools import Tools

_log = logging.getLogger(__name__)

WATCHING = "operation: watching"
PARTS = (WATCHING,)
_LOOK_S = 0.5


class OperationRoom:
    """One worker; a second one finds every session ended already."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools

    async def run(self) -> None:
        """Work until cancelled."""
        await supervise(WATCHING, self._watch, health=self._tools.health, random=self._tools.random)

    async def _watch(self, up: Callable[[], None]) -> None:
        async with self._tools.connection("operation") as connection:
            up()
            while True:
                await look(connection, self._tools.now())
                await asyncio.sleep(_LOOK_S)


async def look(connection: Connection, now: datetime) -> None:
    """End the sessions of which a condition fell, and write down the receipts that came."""
    for one in await jobs_operation.list_operations(connection, since=now - RECEIPTS_FOR):
        if await jobs_operation.new_receipts(connection, one.id):
            await _take_receipts(connection, one.id, now)
        if one.ended_at is None and await fallen(connection, one, now=now) is not None:
            await _end(connection, one.id, now)


async def _take_receipts(connection: Connection, operation_id: int, now: datetime) -> None:
    async with connection.transaction():
        operation = await jobs_operation.get_operation(connection, operation_id, change=True)
        if operation is None:
            return
        for receipt in await jobs_operation.new_receipts(connection, operation.id):
            await jobs_operation.add_line(connection, operation, "receipt", receipt, at=now)
        await wake(connection, operation.gateway_id)


async def _end(connection: Connection, operation_id: int, now: datetime) -> None:
    async with connection.transaction():
        operation = await jobs_operation.get_operation(connection, operation_id, change=True)
        if operation is None or operation.ended_at is not None:
            return
        fall = await fallen(connection, operation, now=now)
        if fall is None:
            return
        await finish(connection, operation, fall, now=now)
    _log.info("operation %s of %s ended: %s %s", operation.id, operation.instrument, fall.reason, fall.detail)
