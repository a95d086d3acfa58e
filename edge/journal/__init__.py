"""The gateway's durable queue: what was accepted, until the hub's signed word that it is committed."""
