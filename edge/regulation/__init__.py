"""Regulation at the gateway: outputs follow schedule, job and people, and the room has to follow them."""
