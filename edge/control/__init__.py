"""The only owner of outputs: what is set, by whom, and whether the device confirms it."""
