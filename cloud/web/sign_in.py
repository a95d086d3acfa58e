"""The way in and out: sign-in in one or two steps, invitations, sign-out."""

from urllib.parse import urlencode

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from cloud.api.guard import anybody, cookie_name, guard_of, origin_of, signed_in, viewer_of
from cloud.identity.doors import RefusedError
from cloud.identity.secrets import PASSWORD_MIN, password_fault
from cloud.web.context import Web
from cloud.web.forms import read_form
from cloud.web.words import mark

WRONG = mark("Login or password is not right.")
WRONG_CODE = mark("The code is not right. It changes every 30 seconds and is good once.")
TOO_MANY = mark("Too many tries. Wait 15 minutes.")
STALE = mark("That took too long. Sign in again.")
BAD_INVITATION = mark("This invitation is not known, was used or has expired. Ask for a new one.")
UNLIKE = mark("The two passwords are not the same.")
BAD_PASSWORD = mark(
    "Choose another password: at least 10 characters, not the login, not one letter repeated."
)

_INVITED = "heng_invited"
"""Cookie with the login whose password was just set."""


def add_sign_in_pages(router: APIRouter, web: Web) -> None:
    """Add /sign-in, /sign-in/code, /sign-out and /invitation."""
    pages = SignInPages(web)
    router.add_api_route("/sign-in", pages.show)
    router.add_api_route("/sign-in", pages.enter, methods=["POST"])
    router.add_api_route("/sign-in/code", pages.show_code)
    router.add_api_route("/sign-in/code", pages.prove, methods=["POST"])
    router.add_api_route("/sign-out", pages.leave, methods=["POST"])
    router.add_api_route("/invitation", pages.show_invitation)
    router.add_api_route("/invitation", pages.accept, methods=["POST"])


class SignInPages:
    """The routes of the way in."""

    def __init__(self, web: Web) -> None:
        self._web = web

    @anybody
    async def show(self, request: Request) -> HTMLResponse:
        """Return the form for login and password."""
        required = await guard_of(request).required()
        target = _target(request.query_params.get("next"))
        login = request.cookies.get(_INVITED, "")[:63]
        response = self._form(
            request, "password", target=target, unlocked=not required, login=login, welcome=bool(login)
        )
        if login:
            response.delete_cookie(_INVITED, path="/sign-in")
        return response

    @anybody
    async def enter(self, request: Request) -> Response:
        """Look at login and password."""
        form = await read_form(request)
        guard, target = guard_of(request), _target(form.get("next"))
        try:
            entered = await guard.doors.sign_in(
                form.get("login", ""), form.get("password", ""), origin_of(request)
            )
        except RefusedError as error:
            message = TOO_MANY if error.wait_s else WRONG
            return self._form(
                request,
                "password",
                target=target,
                message=message,
                status=429 if error.wait_s else 401,
                login=form.get("login", "")[:63],
            )
        before = await guard.viewer(request)
        if before is not None and before.session_id:
            await guard.doors.sign_out(before)
        where = f"/sign-in/code?{urlencode({'next': target})}" if entered.needs_code else target
        return _with_session(request, RedirectResponse(where, 303), entered.token)

    @anybody
    async def show_code(self, request: Request) -> HTMLResponse:
        """Return the form for the second factor's code."""
        return self._form(request, "code", target=_target(request.query_params.get("next")))

    @anybody
    async def prove(self, request: Request) -> Response:
        """Look at the code."""
        form = await read_form(request)
        target = _target(form.get("next"))
        token = request.cookies.get(cookie_name(request), "")
        try:
            entered = await guard_of(request).doors.prove(token, form.get("code", ""), origin_of(request))
        except RefusedError as error:
            if str(error) == "session":
                return self._form(request, "password", target=target, message=STALE, status=401)
            message = TOO_MANY if error.wait_s else WRONG_CODE
            status = 429 if error.wait_s else 401
            return self._form(request, "code", target=target, message=message, status=status)
        return _with_session(request, RedirectResponse(target, 303), entered.token)

    @signed_in
    async def leave(self, request: Request) -> Response:
        """End the session."""
        viewer = viewer_of(request)
        if viewer.session_id:
            await guard_of(request).doors.sign_out(viewer)
        response = RedirectResponse("/sign-in", 303)
        response.delete_cookie(cookie_name(request), path="/")
        response.headers["Clear-Site-Data"] = '"cache"'
        return response

    @anybody
    async def show_invitation(self, request: Request) -> HTMLResponse:
        """Return the form for a new password; browsers send nobody what stands behind the #."""
        return self._form(request, "invitation", target="/")

    @anybody
    async def accept(self, request: Request) -> Response:
        """Set the password of an invitation."""
        form = await read_form(request)
        code, password = form.get("code", ""), form.get("password", "")
        given = {"code": code, "login": form.get("login", "")[:63]}
        if password != form.get("again"):
            return self._form(request, "invitation", target="/", message=UNLIKE, status=422, **given)
        if password_fault(password, ""):
            return self._form(request, "invitation", target="/", message=BAD_PASSWORD, status=422, **given)
        try:
            login = await guard_of(request).doors.accept(code, password, origin_of(request))
        except RefusedError as error:
            message = BAD_PASSWORD if str(error).startswith("password") else BAD_INVITATION
            message = TOO_MANY if error.wait_s else message
            status = 429 if error.wait_s else 422
            return self._form(request, "invitation", target="/", message=message, status=status, **given)
        response = RedirectResponse("/sign-in", 303)
        # Told to this browser alone, which had the code; an address would let anybody write the sentence.
        response.set_cookie(
            _INVITED,
            login,
            max_age=60,
            path="/sign-in",
            httponly=True,
            samesite="lax",
            secure=request.url.scheme == "https",
        )
        return response

    def _form(
        self,
        request: Request,
        step: str,
        *,
        target: str,
        message: str = "",
        status: int = 200,
        **given: object,
    ) -> HTMLResponse:
        shows = {
            "page": "sign-in",
            "step": step,
            "target": target,
            "message": message,
            "login": "",
            "code": "",
            "unlocked": False,
            "welcome": False,
            "password_min": PASSWORD_MIN,
            **given,
        }
        response = self._web.render.page(request, "sign_in.html", shows)
        response.status_code = status
        return response


def _target(asked: str | None) -> str:
    """Return where to go after the sign-in: a page of this hub, whatever was asked for."""
    if not asked or not asked.startswith("/") or asked.startswith(("//", "/\\")) or "\\" in asked:
        return "/"
    return asked if asked.isprintable() and len(asked) <= 500 and not asked.startswith("/sign-") else "/"


def _with_session(request: Request, response: Response, token: str) -> Response:
    response.set_cookie(
        cookie_name(request),
        token,
        path="/",
        httponly=True,
        samesite="lax",
        secure=request.url.scheme == "https",
    )
    return response
