"""The media listener's settings: none without a port, and every fault at once."""

from pathlib import Path

import pytest

from cloud.media.settings import read_media_settings
from cloud.settings import SettingsError

GOOD = {"HENG_MEDIA_PORT": "8885", "HENG_MEDIA_FOLDER": "/m", "HENG_MEDIA_CERTIFICATE": "/c"}


def test_without_a_port_there_is_no_listener() -> None:
    assert read_media_settings({}) is None
    assert read_media_settings({"HENG_MEDIA_FOLDER": "/m"}) is None


def test_values_are_taken_and_the_rest_has_defaults() -> None:
    settings = read_media_settings(GOOD)
    assert settings is not None
    assert (settings.port, settings.folder, settings.certificate) == (8885, Path("/m"), Path("/c"))
    assert (settings.host, settings.bytes_max, settings.keep_days) == ("127.0.0.1", 20_000_000_000, None)
    more = {"HENG_MEDIA_HOST": "0.0.0.0", "HENG_MEDIA_BYTES_MAX": "5000000", "HENG_MEDIA_KEEP_DAYS": "90"}
    settings = read_media_settings(GOOD | more)
    assert settings is not None
    assert (settings.host, settings.bytes_max, settings.keep_days) == ("0.0.0.0", 5_000_000, 90)


def test_every_fault_is_told_at_once() -> None:
    with pytest.raises(SettingsError) as caught:
        read_media_settings(
            {"HENG_MEDIA_PORT": "x", "HENG_MEDIA_BYTES_MAX": "5", "HENG_MEDIA_KEEP_DAYS": "-1"}
        )
    assert [fault.split(" ")[0].rstrip(":") for fault in caught.value.faults] == [
        "HENG_MEDIA_PORT",
        "HENG_MEDIA_BYTES_MAX",
        "HENG_MEDIA_KEEP_DAYS",
        "HENG_MEDIA_FOLDER",
        "HENG_MEDIA_CERTIFICATE",
    ]
