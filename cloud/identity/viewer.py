"""The asker of one request: who it is, from where, with which rights; values only."""

from dataclasses import dataclass, field

from cloud.store.audit_log import Entry
from cloud.store.snapshot import Seen
from rules.permissions import Permission, Rights


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a request came from."""

    address: str
    agent: str = ""


@dataclass(frozen=True, slots=True)
class Viewer:
    """Who asks. `everybody` while the hub has no accounts: then nothing listens beyond this machine."""

    kind: str
    """`account`, `token`, `command` or `everybody`."""
    login: str
    origin: Origin
    account_id: int = 0
    organisation_id: int | None = None
    name: str = ""
    session_id: int = 0
    rights: Rights = field(default_factory=Rights)
    organisations: frozenset[int] = frozenset()
    """All organisations of the hub."""

    @property
    def unbound(self) -> bool:
        """Whether no right is asked for: no accounts yet, or the owner of the machine at its command line."""
        return self.kind in ("everybody", "command")

    def may(self, permission: Permission, organisation_id: int, site_id: int | None = None) -> bool:
        """Whether a permission holds at a site, or (None) in the whole organisation."""
        return self.unbound or self.rights.scope(permission).covers(organisation_id, site_id)

    def holds(self, permission: Permission) -> bool:
        """Whether a permission holds anywhere; that to see the whole hub: in every organisation."""
        seen = self.seen(permission)
        if seen is None:
            return True
        if permission is Permission.METRICS_READ:
            return seen.everywhere
        return bool(seen.organisations or seen.sites)

    def seen(self, permission: Permission) -> Seen | None:
        """Return what may be seen by a permission; None: everything."""
        if self.unbound:
            return None
        scope = self.rights.scope(permission)
        everywhere = bool(self.organisations) and scope.organisations >= self.organisations
        return Seen(scope.organisations, scope.sites, everywhere)

    def entry(
        self,
        action: str,
        thing: str,
        *,
        outcome: str = "done",
        organisation_id: int | None = None,
        old: object = None,
        new: object = None,
        why: str = "",
    ) -> Entry:
        """Return the audit entry of something that this asker did or was refused."""
        kind = {"everybody": "nobody"}.get(self.kind, self.kind)
        return Entry(
            actor_kind=kind,
            actor=self.login,
            action=action,
            object=thing,
            outcome=outcome,
            organisation_id=self.organisation_id if organisation_id is None else organisation_id,
            old=old,
            new=new,
            why=why,
            origin=self.origin.address,
        )
