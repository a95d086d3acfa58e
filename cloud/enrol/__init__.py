"""The EST listener: gives gateways their certificates, and keeps the broker from letting revoked ones in."""
