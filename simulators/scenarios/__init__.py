"""Scenarios that come with the simulators, one TOML file each; `simulators.scenario` reads them."""
