"""The contract that gateway and hub both speak: topics, frames, messages, settings, quantities.

It does no I/O, reads no clock and holds no keys; it imports nothing of the other packages.
"""
