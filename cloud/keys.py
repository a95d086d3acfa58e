"""Whose messages are taken: the keys of the directory at one moment."""

from cloud.opening import Key
from cloud.store.directory import DirectoryRows
from provisioning.keys import verify_ed25519


class Keys:
    """Implements `cloud.opening.KeyBook`."""

    def __init__(self, rows: DirectoryRows) -> None:
        self.version = rows.version
        self._revoked = frozenset(row.name for row in rows.gateways if row.revoked)
        self._gateways = {row.id: row.name for row in rows.gateways}
        self._names = frozenset(self._gateways.values())
        self._keys = {
            row.key_id: Key(self._gateways[row.gateway_id], verify_ed25519(row.public_key), row.refused)
            for row in rows.keys
        }

    def key(self, key_id: bytes) -> Key | None:
        """Return the key of this id."""
        return self._keys.get(key_id)

    def is_registered(self, gateway: str) -> bool:
        """Whether a site file names this gateway."""
        return gateway in self._names

    def is_revoked(self, gateway: str) -> bool:
        """Whether nothing of this gateway is taken any more."""
        return gateway in self._revoked
