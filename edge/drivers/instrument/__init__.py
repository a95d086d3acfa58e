"""The `instrument` driver: SCPI instruments over the network."""
