"""Births and declarations: what changes the directory. Each is one transaction of its own."""

from psycopg import DataError, IntegrityError

from cloud.ingest.directory import Directory
from cloud.opening import Opened, RefusedError
from cloud.store import declare, devices, directory, gateways
from cloud.store.connection import Connection
from cloud.store.declare import DeclarationError
from cloud.store.gateways import NewKey
from wire.layouts import is_consistent
from wire.messages import GatewayStatus, Points


async def handle(connection: Connection, item: Opened, known: Directory) -> bool:
    """Store what a birth or a declaration says; return whether the directory changed.

    `RefusedError` (stage `declare`) when it contradicts itself or what was declared before, or is too much.
    """
    message = item.message
    try:
        if isinstance(message, GatewayStatus):
            return await _learn_key(connection, item, known)
        if isinstance(message, Points):
            return await _declare(connection, item, message, known=known)
    except (DeclarationError, DataError, IntegrityError) as error:
        raise RefusedError(str(error), stage="declare") from None
    return False


async def _learn_key(connection: Connection, item: Opened, known: Directory) -> bool:
    if item.proven is None:
        return False
    proof, key_id = item.proven
    gateway = known.gateways[item.topic.gateway]
    async with connection.transaction():
        await directory.change(connection)
        return await gateways.add_key(
            connection,
            NewKey(
                key_id=key_id,
                organisation_id=gateway.organisation_id,
                gateway_id=gateway.id,
                public_key=proof.public_key,
                certificate_pem=proof.certificate_pem,
                proof=proof.signature,
            ),
        )


async def _declare(connection: Connection, item: Opened, message: Points, *, known: Directory) -> bool:
    bad = next((layout.id for layout in message.layouts if not is_consistent(layout)), None)
    if bad is not None:
        raise RefusedError(f"layout {bad} is not named by its content", stage="declare")
    names = [point.name for point in [*message.points, *message.retired]]
    if len(set(names)) != len(names):
        raise RefusedError("a point is declared twice", stage="declare")
    devices_told = [device.name for device in message.devices]
    if len(set(devices_told)) != len(devices_told):
        raise RefusedError("a device is declared twice", stage="declare")
    gateway = known.gateways[item.topic.gateway]
    async with connection.transaction():
        if not await declare.keep(connection, gateway, item.frame.body):
            return False
        await directory.change(connection)
        await declare.add_layouts(connection, gateway, message.layouts)
        await declare.add_retired(connection, gateway, message.retired)
        await declare.add_points(connection, gateway, message.points, since_ms=message.since_ms)
        await devices.keep_devices(
            connection, gateway, message.devices, message.points, since_ms=message.since_ms
        )
    return True
