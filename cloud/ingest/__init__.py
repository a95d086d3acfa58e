"""From a frame on the broker to committed, acknowledged rows: an ordered list of stages."""
