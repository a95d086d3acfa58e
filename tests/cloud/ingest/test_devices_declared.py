"""Devices come with the points that they feed, in one transaction; a contradiction changes nothing."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from cloud.ingest.control import handle
from cloud.mqtt import Arrived
from cloud.opening import Opened, RefusedError
from wire.codec import encode_body
from wire.frame import Frame
from wire.messages import DeviceDeclaration, PointDeclaration, Points
from wire.topics import Channel, build, parse

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.cloud.ingest.conftest import Laboratory


async def arrives(lab: "Laboratory", *devices: DeviceDeclaration, quantity: str = "temperature") -> bool:
    fed = [PointDeclaration(name="bus/air/temperature", quantity=quantity, exponent=-2, device="bus")]
    message = Points(gateway=lab.gateway.name, points=fed, layouts=[], devices=list(devices))
    topic = build(lab.gateway.name, Channel.UP_POINTS)
    item = Opened(Arrived(topic, b"", datetime(2026, 1, 1, tzinfo=UTC)))
    item.topic = parse(topic)
    item.frame = Frame(key_id=bytes(8), signature=bytes(64), body=encode_body(message))
    item.message = message
    return await handle(lab.connection, item, await lab.directory())


async def drivers(lab: "Laboratory") -> list[tuple[Any, ...]]:
    return await lab.rows(
        "SELECT driver, channels FROM devices WHERE gateway_id = %s AND upper_inf(valid)", lab.gateway.id
    )


def test_declaration_keeps_devices_with_their_channels(in_laboratory: "Callable[[Any], Any]") -> None:
    async def scene(lab: "Laboratory") -> None:
        assert await arrives(lab, DeviceDeclaration(name="bus", driver="modbus-rtu"))
        assert await drivers(lab) == [("modbus-rtu", ["bus/air/temperature"])]

    in_laboratory(scene)


def test_refused_declaration_leaves_the_devices_as_they_were(in_laboratory: "Callable[[Any], Any]") -> None:
    async def scene(lab: "Laboratory") -> None:
        await arrives(lab, DeviceDeclaration(name="bus", driver="modbus-rtu"))
        twice = DeviceDeclaration(name="bus", driver="ups")
        with pytest.raises(RefusedError, match="a device is declared twice"):
            await arrives(lab, twice, twice)
        with pytest.raises(RefusedError, match="give the new meaning a new name"):
            await arrives(lab, twice, quantity="pressure")
        assert await drivers(lab) == [("modbus-rtu", ["bus/air/temperature"])]

    in_laboratory(scene)
