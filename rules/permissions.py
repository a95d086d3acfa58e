"""Who may do what where: roles, permissions, and the one matrix between them.

Pure; knows no account and no route.

A *grant* is a role in a whole organisation or at one of its sites. `Rights` are all grants of one asker,
and answer where a permission holds. Whoever has no right to a thing is told that it does not exist.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum


class Role(StrEnum):
    """What a person is at a laboratory, as far as rights go."""

    VIEWER = "viewer"
    FACILITIES = "facilities"
    DISPATCHER = "dispatcher"
    SAFETY = "safety"
    LABORATORY = "laboratory"
    QUALITY = "quality"
    ADMINISTRATOR = "administrator"
    CUSTOMER = "customer"


class Permission(StrEnum):
    """What a route may ask for. The word before the dot is the thing, the one behind it the act."""

    READINGS_READ = "readings.read"
    """Sites, points, readings, gaps and completeness."""
    POSITIONS_READ = "positions.read"
    EVENTS_READ = "events.read"
    GATEWAYS_READ = "gateways.read"
    """Gateways and their ledgers."""
    GATEWAYS_MANAGE = "gateways.manage"
    """Claim, approve, revoke and replace gateways."""
    SETTINGS_READ = "settings.read"
    SETTINGS_WRITE = "settings.write"
    CALIBRATIONS_WRITE = "calibrations.write"
    MEDIA_READ = "media.read"
    """Pictures and video."""
    ZONES_MANAGE = "zones.manage"
    """Zones, portals, assets and tags."""
    PEOPLE_READ = "people.read"
    PEOPLE_MANAGE = "people.manage"
    """People, accounts, roles, invitations."""
    AUTHORISATIONS_READ = "authorisations.read"
    AUTHORISATIONS_MANAGE = "authorisations.manage"
    ALARMS_READ = "alarms.read"
    ALARMS_HANDLE = "alarms.handle"
    """Acknowledge, comment, shelve, take points out of service."""
    ALARMS_MANAGE = "alarms.manage"
    """Templates, what they watch, who is called by which way."""
    AUDIT_READ = "audit.read"
    CONTROL_READ = "control.read"
    """Interlocks, doors and commands as they stand; and to trip an interlock, which anybody may."""
    CONTROL_HANDLE = "control.handle"
    """Acknowledge, reset and enable interlocks, prove and rehearse them."""
    CONTROL_BYPASS = "control.bypass"
    CONTROL_OPERATE = "control.operate"
    """Set outputs, run instruments, open doors."""
    COMMANDS_APPROVE = "commands.approve"
    """Be the second person of a command that needs two."""
    JOBS_READ = "jobs.read"
    """Jobs, methods with their limits, records."""
    JOBS_WRITE = "jobs.write"
    """Plan, start and finish jobs; versions of methods."""
    JOBS_RELEASE = "jobs.release"
    """Let held work go on."""
    ACCESS_READ = "access.read"
    """Doors with who passed and why not, rights, roll-call."""
    ACCESS_MANAGE = "access.manage"
    """Rights, groups, schedules, how zones and doors are asked, what became of cards."""
    VISITS_MANAGE = "visits.manage"
    """Register visitors, and end their visits."""
    METRICS_READ = "metrics.read"
    """Figures of the whole hub; held only by who holds it in every organisation."""


P = Permission
_READS = frozenset(
    {
        *(P.READINGS_READ, P.POSITIONS_READ, P.EVENTS_READ, P.GATEWAYS_READ),
        *(P.CONTROL_READ, P.ALARMS_READ, P.JOBS_READ),
    }
)
_VISITS = frozenset({P.ACCESS_READ, P.VISITS_MANAGE})
_HANDLES = frozenset({P.CONTROL_HANDLE, P.CONTROL_OPERATE, P.ALARMS_HANDLE})

MATRIX: Mapping[Role, frozenset[Permission]] = {
    Role.VIEWER: _READS,
    Role.FACILITIES: _READS | _HANDLES | _VISITS | {P.SETTINGS_READ, P.ZONES_MANAGE},
    Role.DISPATCHER: _READS | _VISITS | {P.MEDIA_READ},
    Role.SAFETY: _READS
    | _HANDLES
    | _VISITS
    | {
        P.ACCESS_MANAGE,
        *(P.SETTINGS_READ, P.MEDIA_READ, P.PEOPLE_READ, P.AUTHORISATIONS_READ),
        *(P.CONTROL_BYPASS, P.COMMANDS_APPROVE, P.ALARMS_MANAGE, P.JOBS_RELEASE),
    },
    Role.LABORATORY: _READS - {P.POSITIONS_READ}
    | _HANDLES
    | _VISITS
    | {P.CALIBRATIONS_WRITE, P.AUTHORISATIONS_READ, P.JOBS_WRITE},
    Role.QUALITY: _READS
    | {
        *(P.SETTINGS_READ, P.CALIBRATIONS_WRITE, P.MEDIA_READ, P.PEOPLE_READ),
        *(P.AUTHORISATIONS_READ, P.AUTHORISATIONS_MANAGE, P.AUDIT_READ, P.COMMANDS_APPROVE),
        *(P.ALARMS_HANDLE, P.ALARMS_MANAGE, P.JOBS_WRITE, P.JOBS_RELEASE),
        P.ACCESS_READ,
    },
    Role.ADMINISTRATOR: frozenset(Permission),
    Role.CUSTOMER: frozenset({P.READINGS_READ}),
}
"""The one place where it stands what a role may do."""

WHOLE_ORGANISATION = frozenset(
    {
        *(P.PEOPLE_READ, P.PEOPLE_MANAGE, P.AUTHORISATIONS_READ, P.AUTHORISATIONS_MANAGE),
        *(P.AUDIT_READ, P.METRICS_READ, P.ALARMS_MANAGE),
    }
)
"""People belong to an organisation and to no site: a role at one site does not carry these."""


@dataclass(frozen=True, slots=True)
class Grant:
    """A role in an organisation; `site_id` None: in the whole of it."""

    role: Role
    organisation_id: int
    site_id: int | None = None


@dataclass(frozen=True, slots=True)
class Scope:
    """Where one permission holds: whole organisations, and single sites of others."""

    organisations: frozenset[int] = frozenset()
    sites: frozenset[int] = frozenset()

    @property
    def empty(self) -> bool:
        """Whether it holds nowhere."""
        return not self.organisations and not self.sites

    def covers(self, organisation_id: int, site_id: int | None = None) -> bool:
        """Whether it holds at a site, or (None) in the whole organisation."""
        return organisation_id in self.organisations or (site_id is not None and site_id in self.sites)


@dataclass(frozen=True, slots=True)
class Rights:
    """All that one asker was granted; `only` narrows it to the scopes of a token (None: not narrowed)."""

    grants: frozenset[Grant] = frozenset()
    only: frozenset[Permission] | None = None

    def scope(self, permission: Permission) -> Scope:
        """Return where a permission holds."""
        if self.only is not None and permission not in self.only:
            return Scope()
        held = [grant for grant in self.grants if permission in MATRIX[grant.role]]
        whole = frozenset(grant.organisation_id for grant in held if grant.site_id is None)
        if permission in WHOLE_ORGANISATION:
            return Scope(whole)
        return Scope(whole, frozenset(grant.site_id for grant in held if grant.site_id is not None))

    def permissions(self) -> frozenset[Permission]:
        """Return every permission that holds anywhere."""
        return frozenset(permission for permission in Permission if not self.scope(permission).empty)

    def may_grant(self, grant: Grant) -> bool:
        """Whether the asker may give or take this role: nobody hands out more than they have there."""
        return self.scope(P.PEOPLE_MANAGE).covers(grant.organisation_id) and all(
            self.scope(permission).covers(grant.organisation_id, grant.site_id)
            for permission in MATRIX[grant.role]
        )


def narrowed(rights: Rights, scopes: Iterable[Permission]) -> Rights:
    """Return the rights of a token: what its owner has, as far as the token's scopes go."""
    return Rights(rights.grants, frozenset(scopes) & (rights.only or frozenset(Permission)))
