"""Modbus TCP: devices described by profiles, several units behind one connection."""
