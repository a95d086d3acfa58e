"""The panel of a gateway: serves its page, takes cards at its reader, and passes on what people ask.

It decides nothing, and needs neither hub nor network. What is shown is the state of this moment.
"""

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from importlib.resources import files

from msgspec.structs import replace

from edge.control.given import Member, Part
from edge.credential import Presented
from edge.panel.asking import ACTS, Asking, Outcome, Wish
from edge.panel.http import Answer, BadRequest, Place, Request, Server
from edge.panel.page import FORM_S, Shown, act_form, card_line, outcome, overview, page
from edge.panel.words import LANGUAGES, Language, own, reason
from rules.access.roll_call import Called
from wire.control import ControlStatus, InterlockNow
from wire.settings.panel import PanelSection

HTML = "text/html; charset=utf-8"
OUTCOMES_MAX = 32
SAID_S = 15
BREACH_DIGITS = 9
_FILES: Mapping[str, str] = {"panel.css": "text/css", "panel.js": "text/javascript"}


class Panel(Member):
    """One gateway's."""

    def __init__(
        self,
        settings: PanelSection,
        *,
        gateway: str,
        asking: Asking,
        status: Callable[[], ControlStatus],
        roll_call: Callable[[], Sequence[Called]],
    ) -> None:
        self._settings = settings
        self._title = settings.title or gateway
        self._asking = asking
        self._status = status
        self._roll_call = roll_call
        self._said: OrderedDict[int, Outcome] = OrderedDict()
        self._number = 0
        place = Place(
            address=settings.address, port=settings.port, peers=settings.peers, names=settings.hosts
        )
        self.server = Server(place, self.handle)

    def presented(self, presented: Presented) -> None:
        """Take a card at the panel's reader."""
        if presented.reader == self._settings.reader:
            self._asking.presented(presented)

    def parts(self) -> Mapping[str, Part]:
        """Return what serves the page."""
        return {"panel": self.server.run}

    # --- requests ------------------------------------------------------------------------------------

    async def handle(self, request: Request) -> Answer:
        """Answer one request; `BadRequest` for what there is not."""
        language = self._language(request)
        if request.method == "POST":
            if request.path != "/act":
                raise BadRequest(405)
            return await self._act(request)
        name = request.path.removeprefix("/")
        if name in _FILES:
            return Answer(200, _file(name), f"{_FILES[name]}; charset=utf-8")
        match request.path:
            case "/":
                return self._home(request, language)
            case "/now":
                return Answer(200, overview(self._shown(), language).encode(), HTML)
            case "/card":
                return Answer(200, card_line(self._asking.card_left_s, language).encode(), HTML)
            case "/act":
                return self._form(request, language)
            case "/favicon.ico":
                return Answer(204)
        if name.startswith("said/"):
            return self._tell(name.removeprefix("said/"), language)
        raise BadRequest(404)

    def _language(self, request: Request) -> Language:
        cookies = dict(
            part.strip().partition("=")[::2] for part in request.headers.get("cookie", "").split(";")
        )
        wanted = request.query.get("lang") or cookies.get("lang")
        return next((one for one in LANGUAGES if one == wanted), self._settings.language)

    def _home(self, request: Request, language: Language) -> Answer:
        if "lang" in request.query:
            keep = f"lang={language}; Path=/; SameSite=Strict; HttpOnly; Max-Age=31536000"
            return Answer(303, headers=[("location", "/"), ("set-cookie", keep)])
        body = overview(self._shown(), language)
        return Answer(200, page(self._title, body, language, live="/now"), HTML)

    def _shown(self) -> Shown:
        settings, status = self._settings, self._status()
        interlocks = [one for one in status.interlocks if _named(one.name, settings.interlocks)]
        return Shown(
            interlocks=[replace(one, acknowledged_by=self._name(one.acknowledged_by)) for one in interlocks],
            portals=[one for one in status.portals if _named(one.name, settings.portals)],
            lock_downs=status.lock_downs,
            people=self._roll_call() if settings.roll_call else None,
            now_ms=status.at_ms,
            takes=settings.reader is not None,
        )

    def _name(self, person: str) -> str:
        return self._asking.name_of(person) if person else ""

    def _find(self, name: str) -> InterlockNow | None:
        return next((one for one in self._shown().interlocks if one.name == name), None)

    def _wish(self, fields: Mapping[str, str]) -> Wish:
        breach = fields.get("breach", "")
        if not (breach.isascii() and breach.isdigit() and len(breach) <= BREACH_DIGITS):
            raise BadRequest(400, "breach: expected a number")
        if fields.get("act") not in ACTS:
            raise BadRequest(400, f"act: expected one of {', '.join(ACTS)}")
        return Wish(fields.get("interlock", ""), fields["act"], int(breach), fields.get("pin", ""))

    def _form(self, request: Request, language: Language) -> Answer:
        wish = self._wish(request.query)
        now = self._find(wish.interlock)
        if now is None or self._settings.reader is None:
            raise BadRequest(404)
        card = card_line(self._asking.card_left_s, language)
        body = act_form(replace(now, breach=wish.breach), wish.act, language, card=card)
        return Answer(200, page(self._title, body, language, home_s=FORM_S), HTML)

    async def _act(self, request: Request) -> Answer:
        wish = self._wish(request.form)
        if self._settings.reader is None:
            raise BadRequest(404)
        if self._find(wish.interlock) is None:
            found = Outcome("no_interlock")
        else:
            found = await self._asking.ask(wish)
        self._number += 1
        self._said[self._number] = found
        while len(self._said) > OUTCOMES_MAX:
            self._said.popitem(last=False)
        return Answer(303, headers=[("location", f"/said/{self._number}")])

    def _tell(self, number: str, language: Language) -> Answer:
        known = number.isascii() and number.isdigit() and len(number) <= BREACH_DIGITS
        found = self._said.get(int(number)) if known else None
        if found is None:
            return Answer(303, headers=[("location", "/")])
        words = reason(found.refused, language) if found.refused else own("done", language)
        body = outcome(found.text, words, language, good=not found.refused)
        return Answer(200, page(self._title, body, language, home_s=SAID_S), HTML)


def _named(name: str, names: Sequence[str]) -> bool:
    return not names or name in names


@cache
def _file(name: str) -> bytes:
    return files("edge.panel").joinpath("static", name).read_bytes()
