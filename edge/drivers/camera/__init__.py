"""The `camera` driver: rolling recording, pictures as evidence, and a heartbeat of both."""
