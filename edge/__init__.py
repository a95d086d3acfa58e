"""The gateway: drivers, journal, uplink; one asyncio process."""
