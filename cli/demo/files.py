"""The files of the demo: a gateway's settings and keys, and the site file, from what the simulators offer."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cli.demo.zones import PORTALS, ZONES

ORGANISATION = "Demonstration institute of metrology"


def gateway_settings(
    gateway: str,
    devices: Sequence[Mapping[str, Any]],
    *,
    data: Path,
    identity: Path,
    uplink_port: int,
    media_port: int | None = None,
    control: Sequence[tuple[str, Mapping[str, Any]]] = (),
) -> str:
    """Return the TOML of one gateway whose devices are the `[[device]]` tables of the simulators.

    Cameras bring their pictures to `media_port`; `control` are further sections, each with its heading.
    """
    head: dict[str, Mapping[str, Any]] = {
        "gateway": {"id": gateway, "data": str(data), "identity": str(identity)},
        "uplink": {"host": "127.0.0.1", "port": uplink_port},
    }
    if media_port is not None and any(device["driver"] == "camera" for device in devices):
        head["media"] = {"url": f"https://127.0.0.1:{media_port}"}
    tables = [(f"[{name}]", table) for name, table in head.items()]
    tables += control
    tables += [("[[device]]", device) for device in devices]
    return "\n".join(_table(title, table) for title, table in tables)


def device_tables(devices: Sequence[Mapping[str, Any]]) -> str:
    """Return the TOML of `[[device]]` tables."""
    return "\n".join(_table("[[device]]", device) for device in devices)


def write_unless_edited(file: Path, text: str) -> str:
    """Write a file for a person to read, and perhaps to edit; return what to say of it, or nothing.

    What a person changed since we wrote it last stays. Beside the file lies what we wrote, to tell.
    """
    ours = file.with_name(f".{file.name}.written")
    found, written = _text(file), _text(ours)
    if found is not None and written is None and found != text:
        file.replace(file.with_name(file.name + ".before"))
        said = f"{file} may have been edited; it is now {file.name}.before"
    elif found is None or found in (text, written):
        said = ""
    elif written == text:
        return f"{file} was edited and is kept; remove it to have the demo's own"
    else:
        new = file.with_name(file.name + ".new")
        new.write_text(text, encoding="utf-8")
        return f"{file} was edited and is kept, but the demo's own has changed: compare {new.name}"
    file.write_text(text, encoding="utf-8")
    ours.write_text(text, encoding="utf-8")
    return said


def place_keys(offered: Path, home: Path) -> None:
    """Put keys that simulated devices have where the gateway looks for them, readable by it alone."""
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    for key in sorted(offered.glob("*.key")):
        placed = home / key.name
        if _text(placed) != key.read_text(encoding="ascii"):
            placed.unlink(missing_ok=True)
            placed.touch(mode=0o600)
            placed.write_text(key.read_text(encoding="ascii"), encoding="ascii")


def _text(file: Path) -> str | None:
    try:
        return file.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None


def site_file(gateways: Mapping[str, Mapping[str, Any]]) -> str:
    """Return the TOML that declares a site for each gateway, under the gateway's own name, with its zones."""
    parts = [f"organisation = {_inline(ORGANISATION)}\n"]
    for name, offered in gateways.items():
        site = {"name": name, "title": offered["title"], "kind": offered["kind"]}
        site |= {"time_zone": "Asia/Shanghai"}
        site |= {key: offered[key] for key in ("latitude", "longitude")}
        parts.append(_table("[[site]]", site))
        parts += [_table("[[site.zone]]", zone) for zone in ZONES.get(name, ())]
        parts += [_table("[[site.portal]]", portal) for portal in PORTALS.get(name, ())]
        parts.append(_table("[[gateway]]", {"name": name, "site": name}))
    return "\n".join(parts)


def _table(title: str, table: Mapping[str, Any]) -> str:
    return "\n".join([title, *(f"{key} = {_inline(value)}" for key, value in table.items()), ""])


def _inline(value: object) -> str:
    """Return a value as TOML on one line; strings, numbers and truths are written as in JSON."""
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{key} = {_inline(one)}" for key, one in value.items()) + " }"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(_inline(one) for one in value) + "]"
    return json.dumps(value, ensure_ascii=False)
