"""The rights that a gateway decides by: taken over whole or refused whole, and kept on its disk.

What comes was signed by the hub (`edge.control.line`). What lets somebody in is on the disk before it counts,
however often that has to be tried; a revocation counts first. A file that is
damaged is no rights at all: every door says so.
"""

import asyncio
import logging
import os
from collections import deque
from contextlib import suppress
from pathlib import Path

from edge.control.given import Tell
from edge.control.hearers import Hearers
from edge.credential import CredentialError, key_id, load_key
from rules.access import Refusal, Refused, Snapshot, Taken, kept, receive, restored
from wire.control import DocumentNow
from wire.messages import Scalar, as_text
from wire.shadow import Revision

LOG = logging.getLogger(__name__)
FILE = "access-rights.json"
WAITING_MAX = 1000
WAITING_BYTES_MAX = 32 * 1024 * 1024
RETRY_S = 5.0
"""So often what the disk did not take is tried again."""
TOO_MANY = "too_many"
OTHER_KEY = "other_key"
_TEXT_MAX = 200


def _hub_signed(_: bytes) -> bool:
    """What comes here was verified where it came in."""
    return True


class RightsDesk:
    """The rights of one gateway."""

    def __init__(
        self, gateway: str, folder: Path, *, tell: Tell, eager: bool = True, retry_s: float = RETRY_S
    ) -> None:
        """`folder` is where the gateway keeps its data, with the key of its tokens.

        Unless `eager`, no key is made before there are any rights.
        """
        self._eager = eager
        self._retry_s = retry_s
        self._gateway = gateway
        self._folder = folder
        self._tell = tell
        self._waiting: deque[bytes] = deque()
        self._waiting_bytes = 0
        self._some = asyncio.Event()
        """Set when anything came."""
        self._unkept: Snapshot | None = None
        """What came last, as long as the disk does not take it."""
        self._refused: tuple[Revision | None, str, tuple[str, ...]] | None = None
        self._not_kept = ""
        self.changed = Hearers()
        self.snapshot: Snapshot | None = None
        """What is in force; None: no rights were received."""
        self.key = b""
        """Of the tokens; empty until it was read."""
        self.key_id = ""

    @property
    def were_kept(self) -> bool:
        """Whether there are rights on the disk, readable or not."""
        try:
            (self._folder / FILE).lstat()
        except FileNotFoundError:
            return False
        except OSError:
            return True
        return True

    def came(self, body: bytes) -> None:
        """Take a body that the hub signed; it is looked at in its turn.

        What is too much to wait is left out and told as refused: it is not acknowledged, the hub sends again.
        """
        if len(self._waiting) >= WAITING_MAX or self._waiting_bytes + len(body) > WAITING_BYTES_MAX:
            text = f"{len(self._waiting)} changes wait, {self._waiting_bytes} bytes: one was left out"
            refusal = f"{TOO_MANY}: {text}"
            if self._refused is None or not self._refused[1].startswith(TOO_MANY):
                self._refused = None, refusal, (text,)
                self._told_refusal("rights_refused")
            return
        self._waiting.append(body)
        self._waiting_bytes += len(body)
        self._some.set()

    def spoiled(self, reason: str) -> None:
        """Take note of what was refused before it could be read; the same again is no news."""
        refusal = f"{Refusal.UNSIGNED}: {as_text(reason)}"
        if self._refused is None or self._refused[1] != refusal:
            self._refused = None, refusal, (as_text(reason),)
            self._told_refusal("rights_refused")

    async def run(self) -> None:
        """Restore what was kept, then take what comes, one after the other, until cancelled.

        `CredentialError` while the key of tokens cannot be had: nobody can be known by then.
        """
        if not self._eager and not (self._folder / FILE).exists():
            await self._some.wait()
        if not self.key:
            await self.begin()
        while True:
            self._some.clear()
            while self._waiting:
                body = self._waiting.popleft()
                self._waiting_bytes -= len(body)
                await self.take(body)
            try:
                async with asyncio.timeout(None if self._unkept is None else self._retry_s):
                    await self._some.wait()
            except TimeoutError:
                await self.keep_again()

    async def begin(self) -> None:
        """Read the key of tokens, and what was kept; `CredentialError`."""
        try:
            self.key = await asyncio.to_thread(load_key, self._folder)
        except CredentialError as error:
            self._not_kept = as_text(f"key of credentials: {error}")
            self.changed.tell()
            raise
        self._not_kept, self.key_id = "", key_id(self.key)
        found = await asyncio.to_thread(self._restored)
        if isinstance(found, Taken):
            self.snapshot = found.snapshot
            self.changed.tell()
        elif found is not None:
            self._refuse(found, "rights_lost")

    def _restored(self) -> Taken | Refused | None:
        try:
            body = (self._folder / FILE).read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            body = b""
            LOG.error("rights: %s: %s", FILE, error)
        return restored(body, gateway=self._gateway)

    async def take(self, body: bytes) -> None:
        """Take over a change, or refuse it whole."""
        base, found = await asyncio.to_thread(self._received, body)
        if isinstance(found, Refused):
            if found.refusal is not Refusal.OLDER:  # The broker may still keep what was before.
                self._refuse(found, "rights_refused")
            return
        if not found.changed:
            return
        snapshot = found.snapshot
        if snapshot.document.key_id != self.key_id:
            self._refuse_key(snapshot)
            return
        if base is not None and snapshot.document is base.document:
            await self._end_at_once(snapshot, body)
        self._unkept = snapshot
        await self.keep_again()

    def _received(self, body: bytes) -> tuple[Snapshot | None, Taken | Refused]:
        """Judge a change by what came last; a delta to what is in force takes the place of that."""
        base = self.snapshot if self._unkept is None else self._unkept
        found = receive(base, body, gateway=self._gateway, signed=_hub_signed)
        other = isinstance(found, Refused) and found.refusal is Refusal.OTHER_BASE
        if other and self._unkept is not None and self.snapshot is not None:
            base = self.snapshot
            found = receive(base, body, gateway=self._gateway, signed=_hub_signed)
        return base, found

    async def _end_at_once(self, snapshot: Snapshot, body: bytes) -> None:
        """Have a revocation count for what is in force, whatever still waits for the disk."""
        if self._unkept is None:
            self._put(snapshot)
        elif self.snapshot is not None:
            current = self.snapshot
            ended = await asyncio.to_thread(receive, current, body, gateway=self._gateway, signed=_hub_signed)
            if isinstance(ended, Taken):
                self._put(ended.snapshot)

    async def keep_again(self) -> None:
        """Have on the disk what came last, and in force then; what is not taken is tried again."""
        snapshot = self._unkept
        if snapshot is None:
            return
        before, self._not_kept = self._not_kept, await asyncio.to_thread(self._keep, kept(snapshot))
        if self._not_kept:
            if self._not_kept != before:
                self._tell("rights_not_kept", {"reason": as_text(self._not_kept)}, self._gateway)
                self.changed.tell()
            return
        self._unkept = None
        self._put(snapshot)
        data: dict[str, Scalar] = {"revision": _text(self.honoured), "kept": True}
        self._tell("rights_taken", {**data, "people": len(snapshot.document.people)}, self._gateway)
        self.changed.tell()

    def _put(self, snapshot: Snapshot) -> None:
        self.snapshot, self._refused = snapshot, None
        self.changed.tell()

    def _refuse(self, refused: Refused, kind: str) -> None:
        faults = tuple(as_text(str(fault))[:_TEXT_MAX] for fault in refused.faults)
        self._refused = refused.revision, f"{refused.refusal}: {faults[0] if faults else ''}", faults
        self._told_refusal(kind)

    def _refuse_key(self, snapshot: Snapshot) -> None:
        theirs = snapshot.document.key_id
        text = f"key: {theirs}: expected {self.key_id}, that of this gateway's credential.key"
        self._refused = snapshot.revision, f"{OTHER_KEY}: {text}", (text,)
        self._told_refusal("rights_refused")

    def _told_refusal(self, kind: str) -> None:
        assert self._refused is not None
        revision, refusal, faults = self._refused
        data: dict[str, Scalar] = {"reason": refusal, "faults": len(faults)}
        if revision is not None:
            data["revision"] = _text(revision)
        self._tell(kind, data, self._gateway)
        self.changed.tell()

    def _keep(self, body: bytes) -> str:
        """Have it on the disk in the place of what was there; return why not."""
        new = self._folder / f"{FILE}.new"
        try:
            handle = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(handle, "wb") as made:
                made.write(body)
                made.flush()
                os.fsync(made.fileno())
            new.replace(self._folder / FILE)
            folder = os.open(self._folder, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
        except OSError as error:
            with suppress(OSError):
                new.unlink(missing_ok=True)
            return (
                f"{FILE}: {error.strerror}: what is older would come back with a restart, newer rights wait"
            )
        return ""

    @property
    def honoured(self) -> Revision:
        """The newest revision up to which everything is in force."""
        assert self.snapshot is not None
        found = self.snapshot.revision
        for one in self.snapshot.revocations:
            if one.revision == Revision(found.incarnation, found.number + 1):
                found = one.revision
        return found

    def now(self) -> DocumentNow:
        """Return which revision is in force, and why a newer one is not."""
        revision, refusal, faults = self._refused or (None, "", ())
        if self._not_kept:
            faults = (as_text(self._not_kept), *faults)
        snapshot = self.snapshot
        if snapshot is None:
            return DocumentNow(refused=revision, refusal=as_text(refusal), faults=faults[:100])
        return DocumentNow(
            revision=self.honoured,
            digest=snapshot.digest.hex(),
            issued_at_ms=snapshot.document.issued_at_ms,
            refused=revision,
            refusal=as_text(refusal),
            faults=faults[:100],
        )


def _text(revision: Revision) -> str:
    return f"{revision.incarnation}.{revision.number}"
