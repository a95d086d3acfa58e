"""Commands of the hub at the gateway: each judged, remembered before it is begun, done and answered."""
