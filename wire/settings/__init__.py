"""Settings of a gateway: models and the check that names every fault at once."""
