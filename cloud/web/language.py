"""Chinese and English for the pages, from gettext catalogues. It knows no page and no request object.

The catalogues are read when the hub starts (`i18n/<language>.po`); no compiled file is kept. Names of
quantities are not in them: they come from `wire.quantities`.
"""

import io
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from gettext import GNUTranslations
from pathlib import Path

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

from wire.quantities import QUANTITIES

LANGUAGES: Mapping[str, str] = {"zh": "中文", "en": "English"}
"""Language code -> its own name."""
FALLBACK = "en"
FOLDER = Path(__file__).parent / "i18n"


@dataclass(frozen=True, slots=True)
class Language:
    """One language with its catalogue."""

    code: str
    catalogue: GNUTranslations

    @property
    def html(self) -> str:
        """The value of the `lang` attribute."""
        return "zh-Hans" if self.code == "zh" else self.code

    def say(self, message: str) -> str:
        """Return the message in this language; an unknown message comes back as it is."""
        return self.catalogue.gettext(message)

    def quantity(self, name: str) -> str:
        """Return the quantity's name; one that is not in the list comes back as it is."""
        row = QUANTITIES.get(name)
        if row is None:
            return name
        return row.chinese if self.code == "zh" else row.english


@cache
def language(code: str) -> Language:
    """Return a language of `LANGUAGES`; its catalogue is read once."""
    with (FOLDER / f"{code}.po").open("rb") as file:
        catalogue = read_po(file, locale="zh_CN" if code == "zh" else code)
    compiled = io.BytesIO()
    write_mo(compiled, catalogue)
    compiled.seek(0)
    return Language(code, GNUTranslations(compiled))


def choose(*, asked: str | None, remembered: str | None, accepted: str | None) -> str:
    """Return the language code to use: `?lang=`, then the cookie, then Accept-Language, then English."""
    for code in (asked, remembered):
        if code is not None and code in LANGUAGES:
            return code
    return _accepted(accepted or "")


def _accepted(header: str) -> str:
    """Return the best language of an Accept-Language header (RFC 9110, 12.5.4)."""
    best, best_weight = FALLBACK, 0.0
    for item in header.split(","):
        tag, _, parameter = item.strip().partition(";")
        code = tag.split("-")[0].strip().lower()
        weight = _weight(parameter)
        if code in LANGUAGES and weight > best_weight:
            best, best_weight = code, weight
    return best


def _weight(parameter: str) -> float:
    name, _, value = parameter.strip().partition("=")
    if name.strip() != "q":
        return 1.0
    try:
        return float(value)
    except ValueError:
        return 0.0
