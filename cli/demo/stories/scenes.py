"""The scenarios by name: what each has happen, and everything that has to be seen of it."""

import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cli.demo import alarms, web
from cli.demo.accounts import USERS, password_of
from cli.demo.control import CLIMATE, GAS, POWER, STANDING
from cli.demo.running import Found
from cli.demo.stories import jobs
from cli.demo.stories.doors import shows
from cli.demo.stories.interlocks import is_healthy, released, trips
from cli.demo.stories.kills import kill_broker, kill_hub, kill_sensor
from cli.demo.stories.teller import NotSeenError, Teller

LAB, MOBILE = "lab-1", "mobile-1"


@dataclass(frozen=True, slots=True)
class Scene:
    """One scenario."""

    title: str
    chinese: str
    play: Callable[[Teller], Awaitable[None]]


async def _ramp(teller: Teller) -> None:
    await is_healthy(teller, LAB, CLIMATE)
    job = await jobs.running(teller)
    since = time.time() - 1
    teller.tell("room 2 begins to warm by 1 K a second")
    await teller.do("lab-1/room-2/air", "warm")
    try:
        await trips(teller, LAB, CLIMATE)
        await jobs.is_held(teller, job)
        await shows(teller, "1001", "between", expected="interlock")
        await _alarm(teller, since)
        await _regulated(teller, since)
    finally:
        teller.tell("the heat is mended")
        await teller.do("lab-1/room-2/air", "mend")
    await released(teller, LAB, CLIMATE)
    await jobs.release(teller, job)
    await shows(teller, "1001", "between", expected="granted", enters=True)


async def _alarm(teller: Teller, since: float) -> None:
    async def raised() -> str | None:
        for one in await teller.items("/api/alarms"):
            if one["point"] == alarms.POINTS[0] and one["condition"] == "hihi" and _at(one["onset"]) >= since:
                return f"{one['point']} is {one['value']} °C, limit {one['limit']} °C, {one['state']}"
        return None

    await teller.see("an urgent alarm stands", raised, within_s=60)

    async def escalated() -> str | None:
        for one in await teller.items("/api/alarm-messages"):
            if one["channel"] == alarms.WAYS[1] and _at(one["created_at"]) >= since:
                return message_told(one)
        return None

    await teller.see("nobody acknowledges, so it escalates", escalated, within_s=60)


def message_told(message: Mapping[str, Any]) -> str:
    """Say what became of a message, as `/api/alarm-messages` has it: only what was taken was sent."""
    channel, subject, answered = message["channel"], message["subject"], message["told"]
    if message["state"] == "sent":
        return f"sent to {channel}: {subject}"
    if message["state"] == "given_up":
        return f"not sent to {channel}, given up after {message['attempts']} attempts ({answered}): {subject}"
    why = f"not sent at attempt {message['attempts']}: {answered}" if answered else "not tried yet"
    return f"waits to be sent to {channel} ({why}; the demo's ways lead nowhere): {subject}"


def _at(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


async def _regulated(teller: Teller, since: float) -> None:
    async def tried() -> str | None:
        found = await teller.events(LAB, ("output_set",), since)
        mine = [one for one in found if one.subject.startswith("room-2/air-conditioner")]
        return f"{mine[-1].subject} = {mine[-1].data['value']}" if mine else None

    await teller.see("regulation tries to cool room 2", tried, within_s=60)


async def _responder(teller: Teller) -> None:
    await is_healthy(teller, LAB, CLIMATE)
    teller.tell("room 2 begins to warm")
    await teller.do("lab-1/room-2/air", "warm")
    try:
        await trips(teller, LAB, CLIMATE)
        await shows(teller, "1002", "between", expected="interlock")
        await shows(teller, "1003", "between", expected="granted_responder", enters=True)
    finally:
        await teller.do("lab-1/room-2/air", "mend")
    await released(teller, LAB, CLIMATE)


async def _wrong_schedule(teller: Teller) -> None:
    await is_healthy(teller, LAB, CLIMATE)
    await shows(teller, "1004", "between", expected="out_of_schedule")


async def _two_person(teller: Teller) -> None:
    for person in ("1001", "1002"):
        await teller.command(LAB, "access.place", by="admin", person=person, zone="")
    await shows(teller, "1001", "archive", expected="second_person_awaited")
    await shows(teller, "1002", "archive", expected="granted", enters=True)


async def _ups_battery(teller: Teller) -> None:
    await is_healthy(teller, MOBILE, POWER)
    teller.tell("the mobile laboratory loses its mains")
    await teller.switch("mobile-1/power", "battery")
    try:
        await trips(teller, MOBILE, POWER)
    finally:
        teller.tell("the mains are back")
        await teller.switch("mobile-1/power", "")
    await released(teller, MOBILE, POWER)


async def _vehicle_moves(teller: Teller) -> None:
    await is_healthy(teller, MOBILE, POWER)
    await is_healthy(teller, MOBILE, STANDING)
    job = await jobs.running(teller, jobs.CABIN)
    session = await _operate(teller, job)
    teller.tell("somebody drives the mobile laboratory away")
    await teller.do("mobile-1/gnss/vehicle", "drive")
    try:
        await trips(teller, MOBILE, STANDING)
        await jobs.is_held(teller, job)

        async def over() -> str | None:
            told = (await teller.get(f"/api/operations/{session}"))["operation"]
            return str(told["end_reason"]) if told["ended_at"] else None

        await teller.see("the remote operation ended by itself", over)
        await teller.refused(MOBILE, "output.set", by="admin", output="cabin/source", value="1")
    finally:
        teller.tell("the vehicle stops")
        await teller.do("mobile-1/gnss/vehicle", "park")
    await released(teller, MOBILE, STANDING)
    await jobs.release(teller, job)


async def _operate(teller: Teller, job: int) -> int:
    """Begin to operate the bath of the cabin from afar, and have it do something; return the session."""
    wish = {"job_id": job, "gateway": MOBILE, "instrument": "bath"}
    session = int((await teller.send("POST", "/api/operations", wish))["id"])
    body = {"procedure": "set_point", "arguments": {"target": "22"}}
    sent = await teller.send("POST", f"/api/operations/{session}/commands", body)

    async def done() -> str | None:
        told = await teller.get(f"/api/commands/{sent['command']}")
        return None if told["state"] in ("sent", "accepted") else str(told["state"])

    await teller.see("admin operates the bath from afar, to 22 °C", done)
    return session


async def _gas_alarm(teller: Teller) -> None:
    await is_healthy(teller, LAB, GAS)
    teller.tell("gas leaks into room 1")
    await teller.do("lab-1/room-1/air", "leak")
    try:
        await trips(teller, LAB, GAS)
        await shows(teller, "1002", "entrance", expected="interlock")
    finally:
        teller.tell("the leak is closed and the room aired")
        await teller.do("lab-1/room-1/air", "clear")
    await released(teller, LAB, GAS)


SCENES: Mapping[str, Scene] = {
    "ramp": Scene("the temperature of room 2 runs away", "2 号房间温度失控", _ramp),
    "responder": Scene(
        "a responder is let in while entry is locked", "进入被锁定时应急人员可进入", _responder
    ),
    "wrong-schedule": Scene("a card at the wrong time", "在不允许的时间刷卡", _wrong_schedule),
    "two-person": Scene("a room that nobody enters alone", "不得单人进入的房间", _two_person),
    "ups-battery": Scene("the mobile laboratory runs on battery", "移动实验室由电池供电", _ups_battery),
    "vehicle-moves": Scene(
        "the vehicle moves while somebody measures from afar", "远程测量时车辆移动", _vehicle_moves
    ),
    "gas-alarm": Scene("a gas alarm isolates power", "气体报警切断电源", _gas_alarm),
    "kill-broker": Scene("the broker dies and comes back", "消息代理被杀死后恢复", kill_broker),
    "kill-hub": Scene("the hub dies and comes back", "中心被杀死后恢复", kill_hub),
    "kill-sensor": Scene("a sensor falls silent and comes back", "传感器失联后恢复", kill_sensor),
}


async def play(name: str, demo: Found, say: Callable[[str], None]) -> None:
    """Play a scenario; `NotSeenError` names the first thing that was expected and not seen."""
    password = password_of(demo.folder)
    try:
        users = {user.login: await web.sign_in(demo.port, user.login, password) for user in USERS}
        await SCENES[name].play(Teller(demo, users, say))
    except (OSError, LookupError, TypeError, ValueError) as error:
        raise NotSeenError(f"{type(error).__name__}: {error}") from error
