"""A gateway holds in memory what its own devices need, and no library of others."""

import subprocess
import sys

import pytest

OF_OTHERS = ("bleak", "dbus_fast", "numpy", "osdp_sys", "pymodbus", "pyvisa", "pyvisa_py")
LOOK = """
import sys
import edge.main
from edge.assembly import KINDS, build_driver
from edge.driver import Given
from wire.settings.ups import UpsDevice
build_driver(UpsDevice(name="ups"), Given(lambda: 0))
print(*sorted({module.split(".")[0] for module in sys.modules}))
"""


@pytest.mark.slow
def test_gateway_with_one_device_loads_no_library_of_another() -> None:
    done = subprocess.run([sys.executable, "-c", LOOK], capture_output=True, text=True, check=True)
    loaded = done.stdout.split()
    assert "edge" in loaded
    assert [name for name in OF_OTHERS if name in loaded] == []
