"""Sensors on the LAN that send SenML JSON (RFC 8428) over HTTP or MQTT."""
