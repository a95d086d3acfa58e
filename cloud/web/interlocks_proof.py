"""The proof test of an interlock: guided step by step, recorded, with its due date."""

from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from cloud import interlock_acts
from cloud.api.acting import acting
from cloud.api.errors import ApiError
from cloud.api.guard import needs, viewer_of
from cloud.identity.acts import ActError
from cloud.interlock_acts import NOTE_MAX, Provable
from cloud.store import proofs
from cloud.store.proofs import Proof
from cloud.store.sites import get_site, shared_zone
from cloud.store.snapshot import snapshot
from cloud.web.context import Web
from cloud.web.errors import NotHereError
from cloud.web.figures import milliseconds
from cloud.web.forms import read_form
from cloud.web.interlocks_view import Badge, address_of
from cloud.web.interlocks_words import EFFECTS, PROOF_KINDS, PROOF_STATES, STEPS, say_cause_words, say_word
from cloud.web.language import Language
from cloud.web.render import language_of, zone_of
from rules.interlock.matrix import cause_words
from rules.interlock.proof import ProofResult, ProofRun, ProofStep, StepKind
from rules.permissions import Permission
from wire.messages import TICK_MS


def add_proof_pages(router: APIRouter, web: Web) -> None:
    """Add the proof test of an interlock."""
    pages = ProofPages(web)
    path = "/interlocks/{gateway}/{interlock}/proof"
    router.add_api_route(path, pages.show)
    router.add_api_route(path, pages.change, methods=["POST"])
    router.add_api_route("/parts" + path, pages.refresh)


class ProofPages:
    """The routes about proof tests."""

    def __init__(self, web: Web) -> None:
        self._web = web

    @needs(Permission.CONTROL_READ)
    async def show(self, request: Request, gateway: str, interlock: str) -> HTMLResponse:
        """Return the run under way with its next step, earlier ones, and when the next is due."""
        return await self._page(request, gateway, interlock)

    @needs(Permission.CONTROL_READ, quiet=True)
    async def refresh(self, request: Request, gateway: str, interlock: str) -> HTMLResponse:
        """Return the same; an open page asks whether the interlock voted."""
        return await self._page(request, gateway, interlock)

    @needs(Permission.CONTROL_HANDLE)
    async def change(self, request: Request, gateway: str, interlock: str) -> Response:
        """Begin a run, record a step, or give up."""
        form = await read_form(request)
        do, note = form.get("do", ""), form.get("note", "").strip()
        try:
            async with acting(request, self._web.pool, self._web.now()) as act:
                if do == "begin":
                    await interlock_acts.begin(act, gateway, interlock)
                elif do in ("passed", "failed"):
                    passed = do == "passed"
                    await interlock_acts.record(act, gateway, interlock, passed=passed, note=note)
                elif do == "abandon":
                    await interlock_acts.abandon(act, gateway, interlock)
                else:
                    raise NotHereError
        except ApiError as error:
            if error.status == 404:
                raise NotHereError from None
            if error.status != 422:
                raise
            return await self._page(request, gateway, interlock, said=error.detail)
        return RedirectResponse(address_of(gateway, interlock) + "/proof", 303)

    async def _page(self, request: Request, gateway: str, interlock: str, *, said: str = "") -> HTMLResponse:
        language, now = language_of(request), self._web.now()
        async with snapshot(self._web.pool) as connection:
            try:
                found = await interlock_acts.provable(connection, gateway, interlock, at=now)
            except ActError:
                raise NotHereError from None
            runs = await proofs.list_proofs(connection, found.owner.id, interlock)
            running = next((one for one in runs if one.ended_at is None), None)
            run = None if running is None else await interlock_acts.seen(connection, running, found.rule)
            site = None if found.owner.site_id is None else await get_site(connection, found.owner.site_id)
            zone = zone_of(site.time_zone if site else await shared_zone(connection))
        due = interlock_acts.due(found, runs, now)
        owner = found.owner
        shows = {
            "page": "interlocks",
            "gateway": gateway,
            "address": address_of(gateway, interlock),
            "title": found.rule.title or found.rule.name,
            "due": Badge(
                PROOF_KINDS.get(due.state.value, "unmonitored"),
                say_word(language, PROOF_STATES, due.state.value),
            ),
            "due_ms": None if due.due_utc is None else due.due_utc * TICK_MS,
            "run": None if run is None else _shown(run, found, language),
            "runs": [_line(one) for one in runs if one.ended_at is not None],
            "handles": viewer_of(request).may(
                Permission.CONTROL_HANDLE, owner.organisation_id, owner.site_id
            ),
            "said": said,
            "note_max": NOTE_MAX,
        }
        response = self._web.render.page(request, "interlocks_proof.html", shows, zone=zone)
        response.status_code = 422 if said else 200
        return response


def _shown(run: ProofRun, found: Provable, language: Language) -> dict[str, Any]:
    return {
        "by": run.by,
        "begun_ms": _ms(run.begun.tick),
        "number": len(run.results) + 1,
        "of": len(run.steps),
        "step": None if run.step is None else _step(run.step, found, language),
        "heard": sorted(set(run.heard) - {"@enabled"}),
        "aside": sorted(run.aside),
        "seen": run.step is not None and _is_seen(run, run.step),
        "results": [_result(one, found, language) for one in run.results],
        "other_rule": run.rule != found.fingerprint,
    }


def _is_seen(run: ProofRun, step: ProofStep) -> bool:
    if step.kind is StepKind.EFFECT:
        return True
    return ("@enabled" if step.kind is StepKind.RESET else step.name) in run.heard


def _step(step: ProofStep, found: Provable, language: Language) -> dict[str, str]:
    about, more = step.name, ""
    if step.kind is StepKind.CAUSE:
        cause = next((cause for _, cause in found.rule.causes() if cause.name == step.name), None)
        words = "" if cause is None else cause_words(cause, found.known.plant)
        more = say_cause_words(language, words).text
    elif step.kind is StepKind.EFFECT:
        kinds = [str(one.kind) for one in found.rule.effects if one.target == step.name]
        more = ", ".join(say_word(language, EFFECTS, kind) for kind in kinds)
    return {"words": say_word(language, STEPS, step.kind.value), "about": about, "more": more}


def _result(one: ProofResult, found: Provable, language: Language) -> dict[str, Any]:
    return {
        **_step(one.step, found, language),
        "passed": one.passed,
        "seen": one.seen,
        "at_ms": _ms(one.at.tick),
        "note": one.note,
    }


def given_up(run: ProofRun) -> bool:
    """Whether a run was ended before its last step, and none that was done failed."""
    return not run.passed and len(run.results) < len(run.steps) and all(one.passed for one in run.results)


def _line(one: Proof) -> dict[str, Any]:
    return {
        "begun_ms": milliseconds(one.begun_at),
        "ended_ms": None if one.ended_at is None else milliseconds(one.ended_at),
        "by": one.run.by,
        "passed": one.run.passed,
        "given_up": given_up(one.run),
        "done": len(one.run.results),
        "of": len(one.run.steps),
        "rule": one.run.rule[:8],
        "notes": [result.note for result in one.run.results if result.note],
    }


def _ms(tick: int) -> int:
    return tick * TICK_MS
