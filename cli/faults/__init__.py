"""The fault campaign: kills, cuts and corrupts a running system, then accounts for every reading."""
