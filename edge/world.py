"""What a gateway gets from the machine: its clocks, chance, the boot's id, the service manager."""

import os
import random
import secrets
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from edge.driver import ticks
from edge.service_manager import ServiceManager

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


@dataclass(frozen=True, slots=True)
class World:
    """What a gateway gets from the machine."""

    monotonic_ns: Callable[[], int]
    real_ns: Callable[[], int]
    boot: bytes
    random_id: Callable[[], bytes]
    random: Callable[[], float]
    manager: ServiceManager

    def now(self) -> float:
        """Monotonic seconds."""
        return self.monotonic_ns() / 1e9

    def now_tick(self) -> int:
        """The tick of this moment."""
        return ticks(self.monotonic_ns())


def real_world() -> World:
    """Return this machine: the clock that also counts while suspended, the kernel's boot id."""
    return World(
        monotonic_ns=lambda: time.clock_gettime_ns(time.CLOCK_BOOTTIME),
        real_ns=time.time_ns,
        boot=uuid.UUID(BOOT_ID.read_text().strip()).bytes,
        random_id=lambda: secrets.token_bytes(16),
        random=random.random,
        manager=ServiceManager(os.environ),
    )


def software() -> str:
    """Return name and version of this software."""
    return f"heng {version('heng')}"
