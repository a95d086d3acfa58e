"""When the certificates end that no program renews, and what a person has to do before.

It reads certificates and no keys. What ends is told long before: an authority two years, since all that it
issued ends with it; what one command renews, three months.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from provisioning import certificates, files, identity

AUTHORITY_WARNING = timedelta(days=730)
LEAF_WARNING = timedelta(days=90)
_ISSUING = "heng ca issuing ask, sign, use"
ANEW = "make a new authority and claim every gateway anew"


@dataclass(frozen=True, slots=True)
class End:
    """When one certificate ends."""

    kind: str
    at: datetime
    then: str
    """What a person does before."""
    warning: timedelta = LEAF_WARNING
    name: str = ""
    """Whose it is, where there are several of a kind."""

    @property
    def what(self) -> str:
        """Kind and name."""
        return f"{self.kind} {self.name}".strip()

    def is_near(self, now: datetime) -> bool:
        """Whether it is time to do that."""
        return now >= self.at - self.warning

    def told(self, now: datetime) -> str:
        """Return it in a sentence."""
        word = "ended" if self.at <= now else "ends"
        return f"{self.what} {word} on {self.at:%Y-%m-%d}: {self.then}"


def end_of(
    kind: str, certificate: Path, then: str, *, warning: timedelta = LEAF_WARNING, name: str = ""
) -> End:
    """Return the end of the first certificate in a file; `IdentityError`."""
    found = certificates.from_pem(files.read(certificate))[0]
    return End(kind, found.not_valid_after_utc, then, warning, name)


def of_authority(folder: Path) -> list[End]:
    """Return the ends of all certificates in an authority's folder that a person renews; `IdentityError`."""
    return sorted(_of_authority(folder), key=lambda end: end.at)


def _of_authority(folder: Path) -> Iterator[End]:
    for kind, name, then in (
        ("root CA", "root", ANEW),
        ("issuing CA", "issuing", _ISSUING),
        ("hub CA", "hub-ca", ANEW),
    ):
        yield end_of(kind, folder / f"{name}-cert.pem", then, warning=AUTHORITY_WARNING)
    broker = folder / "broker" / identity.TLS_CERTIFICATE
    if broker.exists():
        yield end_of("certificate of the broker", broker, "heng ca server, heng broker config")
    for worker in sorted((folder / "hubs").glob(f"*/{identity.TLS_CERTIFICATE}")):
        name = worker.parent.name
        then = f"move hubs/{name} away, heng ca issue hub {name}"
        yield end_of("certificate of hub worker", worker, then, name=name)
