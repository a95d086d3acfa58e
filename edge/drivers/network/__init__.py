"""The gateway's own uplink: which bearer carries it, how well, and how much."""
