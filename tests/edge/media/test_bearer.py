"""Over which link something may go is looked up only where the settings leave one out."""

from pathlib import Path

import pytest

from edge.media.bearer import may_use
from wire.settings.check import check
from wire.settings.media import Bearer, MediaSection

ROUTE = (
    "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\n"
    "{0}\t00000000\t0101A8C0\t0003\t0\t0\t1\t00000000\t0\t0\t0\n"
)
ALL: list[Bearer] = ["ethernet", "wifi", "mobile", "other"]


def machine(folder: Path, interface: str, kind: str = "") -> Path:
    (folder / "proc/net").mkdir(parents=True)
    (folder / "proc/net/route").write_text(ROUTE.format(interface))
    (folder / "sys/class/net" / interface).mkdir(parents=True)
    uevent = f"DEVTYPE={kind}\n" if kind else ""
    (folder / "sys/class/net" / interface / "uevent").write_text(f"{uevent}INTERFACE={interface}\n")
    return folder


@pytest.mark.parametrize(
    ("interface", "kind", "bearer"),
    [("eth0", "", "ethernet"), ("wlan0", "wlan", "wifi"), ("wwan0", "wwan", "mobile"), ("tun0", "", "other")],
)
def test_link_of_now_decides(interface: str, kind: str, bearer: Bearer, tmp_path: Path) -> None:
    root = machine(tmp_path, interface, kind)
    assert may_use([bearer], mobile=[], root=root)
    assert not may_use([one for one in ALL if one != bearer], mobile=[], root=root)


def test_modem_that_looks_like_ethernet_is_mobile_by_its_name(tmp_path: Path) -> None:
    root = machine(tmp_path, "eth1")
    assert not may_use(["ethernet", "wifi"], mobile=["eth1"], root=root)
    assert may_use(["mobile"], mobile=["eth1"], root=root)


def test_machine_that_tells_nothing_counts_as_other(tmp_path: Path) -> None:
    assert may_use(ALL, mobile=[], root=tmp_path / "nowhere")
    assert may_use(["other"], mobile=[], root=tmp_path / "nowhere")
    assert not may_use(["ethernet"], mobile=[], root=tmp_path / "nowhere")
    (tmp_path / "proc/net").mkdir(parents=True)
    (tmp_path / "proc/net/route").write_text("Iface\nwhat is this\n")
    assert not may_use(["ethernet"], mobile=[], root=tmp_path)


def test_settings_name_what_is_wrong() -> None:
    for given, path in (
        ({"url": "http://hub"}, "url"),
        ({"url": "https://hub/media"}, "url"),
        ({"url": "https://hub:8885", "retry_max_s": 1.0}, "retry_max_s"),
        ({"url": "https://hub", "upload_on": ["wifi", "wifi"]}, "upload_on[1]"),
        ({"url": "https://hub", "live_on": []}, "live_on"),
    ):
        _, faults = check(given, MediaSection)
        assert [fault.path for fault in faults] == [path]
    settings, faults = check({"url": "https://hub:8885", "upload_on": []}, MediaSection)
    assert faults == []
    assert settings is not None
    assert settings.live_on == ALL
