"""The simulated air conditioner as settings of a Modbus line describe it; shared by tests."""

PROFILE = """
[[device.profile]]
name = "ac"

[[device.profile.value]]
point = "temperature"
quantity = "temperature"
register = 1
scale = "0.1"

[[device.profile.output]]
output = "on"
kind = "switch"
function = 5
register = 0

[[device.profile.output]]
output = "setpoint"
quantity = "temperature"
register = 0
type = "uint16"
scale = "0.1"
low = "16"
high = "30"
"""
