"""Contacts, relays, lamps and beepers on the pins of the gateway's own board."""
