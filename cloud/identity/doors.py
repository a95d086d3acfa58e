"""Sign-in and what follows: two steps, sessions with limits, tokens, throttling.

Each try is in the audit log.

A session's name is random, is kept as a hash, and changes at every step of the sign-in. Attempts are
entered before a password is looked at, so that parallel guesses count each other. What is refused never
says which part was wrong.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import IPv6Address, IPv6Network, ip_address

from cloud.identity.secrets import Passwords, new_token, password_fault, token_hash, totp_step
from cloud.identity.told import Told
from cloud.identity.viewer import Origin, Viewer
from cloud.store import accounts, audit_log, web_sessions
from cloud.store.accounts import Account
from cloud.store.connection import Connection
from cloud.store.snapshot import Pool, changing, snapshot
from cloud.store.web_sessions import NewSession, Tries, WebSession
from rules.permissions import Grant, Permission, Rights, Role, narrowed

LOGIN_MAX = 63
_WINDOW = timedelta(minutes=15)
_KEPT = timedelta(days=1)
"""So long attempts and ended sessions are kept; what was done stays in the audit log."""
_FORGET_MAX = 1000
"""Sessions that are forgotten as one begins: always more than come."""
_PROVING = timedelta(minutes=5)
"""How long the second factor may take."""
CODES_MAX = 5
_NOTE_EVERY = timedelta(minutes=1)
PAIR_MAX, LOGIN_TRIES_MAX, ADDRESS_MAX, LOGINS_MAX = 5, 30, 20, 10
PROGRAM = "heng_"
"""Begins every API token, so that one that leaks can be recognised."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How long a session lives."""

    idle: timedelta = timedelta(hours=1)
    absolute: timedelta = timedelta(hours=12)


class RefusedError(Exception):
    """The door stays shut. `wait_s` is above 0 when it is because of too many tries."""

    def __init__(self, why: str, *, wait_s: int = 0) -> None:
        super().__init__(why)
        self.wait_s = wait_s


@dataclass(frozen=True, slots=True)
class Entered:
    """A step that was let in: the browser's new secret, and whether a code is asked for next."""

    token: str
    needs_code: bool


class Doors:
    """The doors of one process."""

    def __init__(self, pool: Pool, *, now: Callable[[], datetime], limits: Limits | None = None) -> None:
        self._pool = pool
        self._now = now
        self._told = Told()
        self.limits = limits or Limits()
        self.passwords = Passwords()

    async def sign_in(self, login: str, password: str, origin: Origin) -> Entered:
        """Look at login and password; raises `RefusedError`."""
        login = login.strip().lower()[:LOGIN_MAX]
        number = await self._admitted(login, origin)
        async with snapshot(self._pool) as connection:
            account = await accounts.find_account(connection, login)
        kept = account.password if account is not None and not account.closed else None
        if await self.passwords.fits(password, kept) and account is not None:
            async with changing(self._pool) as connection:
                found = await accounts.hold_account(connection, account.id)
                # looking took a while: what was changed meanwhile counts
                if found is not None and found.password == kept and not found.closed:
                    await web_sessions.forgive(connection, number)
                    if found.totp_seed is not None:
                        return await self._begin(connection, found, origin, proven=False)
                    return await self._let_in(connection, found, origin)
        await self._refuse(origin, "login or password", account=account)
        raise RefusedError("login or password")

    async def prove(self, token: str, code: str, origin: Origin) -> Entered:
        """Look at the code of the second factor; raises `RefusedError`. The session gets a new name."""
        now = self._now()
        async with changing(self._pool) as connection:
            session = await self._living(connection, token)
            account = None if session is None else await accounts.get_account(connection, session.account_id)
        if session is None or session.proven or account is None or account.closed:
            raise RefusedError("session")
        number = await self._admitted(account.login, origin)
        async with changing(self._pool) as connection:
            found = await accounts.hold_account(connection, account.id)
            tries = await web_sessions.count_try(connection, session.id)
            if found is not None and await self._is_proof(connection, found, code, tries=tries):
                # whoever ended it meanwhile, with a new password say, ended this sign-in too
                if await web_sessions.end(connection, session.id, account_id=account.id, at=now):
                    await web_sessions.forgive(connection, number)
                    return await self._let_in(connection, found, origin)
            elif tries >= CODES_MAX:
                await web_sessions.end(connection, session.id, account_id=account.id, at=now)
        await self._refuse(origin, "code", account=account)
        raise RefusedError("code")

    async def _is_proof(self, connection: Connection, account: Account, code: str, *, tries: int) -> bool:
        if account.closed or account.totp_seed is None or tries > CODES_MAX:
            return False
        step = totp_step(account.totp_seed, code, unix_s=self._now().timestamp())
        return step is not None and await accounts.use_totp_step(connection, account.id, step)

    async def confirm(self, account: Account, password: str, origin: Origin) -> bool:
        """Whether somebody who is signed in knows the password; guesses count like those at the door."""
        try:
            number = await self._admitted(account.login, origin)
        except RefusedError:
            return False
        if not await self.passwords.fits(password, account.password):
            await self._refuse(origin, "password asked again", account=account)
            return False
        async with changing(self._pool) as connection:
            await web_sessions.forgive(connection, number)
        return True

    async def viewer_of(self, token: str, origin: Origin, *, counts: bool = True) -> Viewer | None:
        """Return who has a session, or None; `counts`: being asked keeps it from idling."""
        now = self._now()
        async with snapshot(self._pool) as connection:
            session = await self._living(connection, token)
            if session is None or not session.proven:
                return None
            viewer = await self._viewer(connection, session.account_id, origin, session_id=session.id)
        if viewer is not None and counts and now - session.used_at > _NOTE_EVERY:
            async with changing(self._pool) as connection:
                await web_sessions.note_use(connection, session.id, at=now)
        return viewer

    async def viewer_of_token(self, token: str, origin: Origin) -> Viewer | None:
        """Return in whose name a program asks, narrowed to the token's scopes, or None."""
        now = self._now()
        async with snapshot(self._pool) as connection:
            found = await web_sessions.find_token(connection, token_hash(token), at=now)
            if found is None:
                return None
            scopes = frozenset(Permission(one) for one in found.scopes if one in set(Permission))
            viewer = await self._viewer(connection, found.account_id, origin, only=scopes, name=found.name)
        if viewer is not None and (found.used_at is None or now - found.used_at > _NOTE_EVERY):
            async with changing(self._pool) as connection:
                await web_sessions.note_token_use(connection, found.id, at=now)
        return viewer

    async def refuse_token(self, origin: Origin) -> None:
        """Count and write down a token that is none; raises `RefusedError`."""
        await self._admitted("", origin, door="token")
        await self._refuse(origin, "token", account=None)
        raise RefusedError("token")

    async def sign_out(self, viewer: Viewer) -> None:
        """End the asker's session."""
        now = self._now()
        async with changing(self._pool) as connection:
            await web_sessions.end(connection, viewer.session_id, account_id=viewer.account_id, at=now)
            await audit_log.append(connection, [viewer.entry("sign-out", _name(viewer.login))], at=now)

    async def accept(self, code: str, password: str, origin: Origin) -> str:
        """Follow an invitation: set the password and return the login; raises `RefusedError`."""
        now = self._now()
        number = await self._admitted("", origin, door="invitation")
        hashed = await self.passwords.hash(password[:256])
        async with changing(self._pool) as connection:
            account_id = await accounts.use_invitation(connection, token_hash(code.strip()), at=now)
            account = None if account_id is None else await accounts.get_account(connection, account_id)
            if account is not None and not account.closed:
                if fault := password_fault(password, account.login):
                    raise RefusedError(f"password: expected {fault}")
                await accounts.set_password(connection, account.id, hashed, at=now)
                await web_sessions.end_all(connection, account.id, at=now)
                await web_sessions.forgive(connection, number)
                viewer = _account_viewer(account, origin)
                entry = viewer.entry("password.set", _name(account.login), why="invitation")
                await audit_log.append(connection, [entry], at=now)
                return account.login
        await self._refuse(origin, "invitation", account=None)
        raise RefusedError("invitation")

    async def _admitted(self, login: str, origin: Origin, *, door: str = "") -> int:
        """Enter an attempt; raises `RefusedError` when there were too many.

        What is asked for without a login counts at a `door` of its own and for each address: a program whose
        token has ended shuts nobody out who is at the same address, and nobody shuts out from afar.
        """
        now = self._now()
        address = f"{door} {network_of(origin.address)}".strip()
        hashed = hashlib.sha256((address if door else login).encode(errors="replace")).digest()
        async with changing(self._pool) as connection:
            await web_sessions.forget_attempts(connection, now - _KEPT)
            number, tries = await web_sessions.note_attempt(
                connection, hashed, address, at=now, since=now - _WINDOW
            )
        why = too_many(tries)
        if why:
            if self._told.is_new(address, why, now=now):
                await self._refuse(origin, f"too many tries: {why}", account=None)
            raise RefusedError(f"too many tries: {why}", wait_s=int(_WINDOW.total_seconds()))
        return number

    async def _begin(
        self, connection: Connection, account: Account, origin: Origin, *, proven: bool
    ) -> Entered:
        now = self._now()
        token = new_token()
        new = NewSession(
            token_hash=token_hash(token),
            organisation_id=account.organisation_id,
            account_id=account.id,
            proven=proven,
            at=now,
            ends_at=now + (self.limits.absolute if proven else _PROVING),
            address=origin.address,
            agent=origin.agent[:200],
        )
        await web_sessions.forget_sessions(connection, now - _KEPT, most=_FORGET_MAX)
        await web_sessions.begin(connection, new)
        return Entered(token, needs_code=not proven)

    async def _let_in(self, connection: Connection, account: Account, origin: Origin) -> Entered:
        entered = await self._begin(connection, account, origin, proven=True)
        entry = _account_viewer(account, origin).entry("sign-in", _name(account.login))
        await audit_log.append(connection, [entry], at=self._now())
        return entered

    async def _refuse(self, origin: Origin, why: str, *, account: Account | None) -> None:
        """Write a refusal down. An unknown login is not named: people type passwords into that field."""
        name = _name(account.login) if account is not None else "account (unknown)"
        viewer = Viewer(kind="everybody", login="", origin=origin)
        organisation = None if account is None else account.organisation_id
        entry = viewer.entry("sign-in", name, outcome="refused", organisation_id=organisation, why=why)
        async with changing(self._pool) as connection:
            await audit_log.append(connection, [entry], at=self._now())

    async def _living(self, connection: Connection, token: str) -> WebSession | None:
        now = self._now()
        return await web_sessions.find(
            connection, token_hash(token), at=now, idle_since=now - self.limits.idle
        )

    async def _viewer(
        self,
        connection: Connection,
        account_id: int,
        origin: Origin,
        *,
        session_id: int = 0,
        only: frozenset[Permission] | None = None,
        name: str = "",
    ) -> Viewer | None:
        account = await accounts.get_account(connection, account_id)
        if account is None or account.closed:
            return None
        rights = Rights(await grants_of(connection, account.id))
        return Viewer(
            kind="account" if only is None else "token",
            login=account.login if only is None else f"{account.login}/{name}",
            origin=origin,
            account_id=account.id,
            organisation_id=account.organisation_id,
            name=account.name,
            session_id=session_id,
            rights=rights if only is None else narrowed(rights, only),
            organisations=frozenset(await accounts.all_organisations(connection)),
        )


async def grants_of(connection: Connection, account_id: int) -> frozenset[Grant]:
    """Return the roles of an account as the matrix takes them."""
    held = await accounts.held_roles(connection, account_id)
    return frozenset(Grant(Role(role), body, site) for role, body, site in held)


def too_many(tries: Tries) -> str:
    """Return of what there were too many failures, else nothing."""
    limits = (
        (tries.pair, PAIR_MAX, "for this login from this address"),
        (tries.logins, LOGINS_MAX, "different logins from this address"),
        (tries.address, ADDRESS_MAX, "from this address"),
        (tries.login, LOGIN_TRIES_MAX, "for this login"),
    )
    return next((why for count, limit, why in limits if count >= limit), "")


def network_of(address: str) -> str:
    """Return what counts as one address: of IPv6 the /64, which one machine has to itself."""
    try:
        found = ip_address(address.split("%")[0])
    except ValueError:
        return address
    if not isinstance(found, IPv6Address):
        return str(found)
    inner = found.ipv4_mapped
    return str(inner) if inner is not None else str(IPv6Network((found, 64), strict=False))


def _name(login: str) -> str:
    return f"account {login}"


def _account_viewer(account: Account, origin: Origin) -> Viewer:
    return Viewer(
        kind="account",
        login=account.login,
        origin=origin,
        account_id=account.id,
        organisation_id=account.organisation_id,
        name=account.name,
    )
