"""Every SQL statement of the hub, one module per aggregate."""
