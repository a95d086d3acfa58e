"""Sensors of the Linux kernel: IIO, hwmon and 1-wire, read from sysfs."""
