"""The page of the HTTP API: every address with its questions, from the OpenAPI document, and nothing else."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import HTMLResponse, RedirectResponse

from cloud.api.guard import anybody
from cloud.web.errors import PageRoute
from cloud.web.language import Language
from cloud.web.render import Renderer, language_of
from cloud.web.words import mark

SUMMARIES = (
    mark("Sites, with what is known of them now"),
    mark("One site"),
    mark("Rooms, compartments and cabinets, with their doors"),
    mark("Zones, and what watches each of them now"),
    mark("Gateways, with their site and whether they are online"),
    mark("One gateway"),
    mark("The ledger: batches received, missing, tombstoned, waiting and quarantined in each epoch"),
    mark("Claim a gateway for a site; the code is told this once"),
    mark("Let a gateway back in that was away for very long"),
    mark("Refuse a gateway's keys and certificates, for ever"),
    mark("Claim a gateway that takes over what a broken one served; the code is told this once"),
    mark("Settings: wanted, and as running"),
    mark("Save settings and have the gateway run them"),
    mark("Have a gateway run an earlier revision again"),
    mark("Every revision with author and reason, the newest first"),
    mark("One revision's document, as TOML and as JSON"),
    mark("What two revisions say differently"),
    mark("Templates of settings"),
    mark("Keep a template under a name"),
    mark("Save a template, filled in, as a gateway's settings"),
    mark("Ask a gateway for something; what became of it is told by receipts"),
    mark("Approve a command as its second person"),
    mark("Commands, the newest first, and how they stand"),
    mark("One command and its receipts"),
    mark("Interlocks, with causes, votes, effects and what is missing before a reset"),
    mark("When a rule would have tripped, by what is stored"),
    mark("Proof tests of an interlock, the newest first"),
    mark("What a gateway controls by itself, as it stands"),
    mark("Devices of the gateways, and whether they work"),
    mark("What gateways see and are not set up for"),
    mark("Points, with their newest declaration"),
    mark("One point"),
    mark("Readings of a point, as stored while they are few, in buckets when they are many"),
    mark("The newest reading of every point"),
    mark("The newest position of everything that moves"),
    mark("Where a point was"),
    mark("Stretches without readings, and why"),
    mark("What happened"),
    mark("What was due, stored, explained and unexplained"),
    mark("Alarms that are open"),
    mark("Alarms that began in an interval"),
    mark("Points, and what watches them"),
    mark("One alarm"),
    mark("How many alarms, how often, how long"),
    mark("Acknowledge, comment, assign or shelve an alarm; take a point out"),
    mark("Templates of alarms"),
    mark("Keep a template of alarms"),
    mark("Have a template watch points"),
    mark("Have nothing watch points: they are not monitored"),
    mark("Who is called for alarms, by site"),
    mark("Say who is called for a site's alarms"),
    mark("Ways by which people are told"),
    mark("Keep a way by which people are told"),
    mark("Take a way out of use"),
    mark("Send a test message by a way"),
    mark("Messages about alarms, and what became of them"),
    mark("Calibrations of points, every revision"),
    mark("How each point stands, and what is due"),
    mark("One calibration"),
    mark("The file of a calibration's certificate"),
    mark("Bring the file of a certificate (PDF, PNG or JPEG, as the body)"),
    mark("Enter a point's calibration"),
    mark("Rights, groups, schedules, days, and how zones and doors are asked"),
    mark("Keep an item of a site's rights"),
    mark("Take an item out of a site's rights"),
    mark("Keep a group, schedule or day for all sites of an organisation"),
    mark("Take a group, schedule or day of an organisation out"),
    mark("Approve a right as the head of a laboratory"),
    mark("Which rights each gateway honours, and what it may still honour"),
    mark("Rights as CSV: who, where, when, with what effect"),
    mark("What happened at doors, and why"),
    mark("Why somebody was let in or refused, step by step"),
    mark("Who came in and was not seen to leave"),
    mark("What people are at doors"),
    mark("Say what a person is at doors"),
    mark("Set a person's PINs"),
    mark("Give a person a card"),
    mark("Say what became of a card"),
    mark("Visitors who are expected, there, or were there"),
    mark("Register a visit"),
    mark("End a visit at once"),
    mark("Approve a visit as the head of a laboratory"),
    mark("Visits as CSV, the last registered first"),
    mark("Imports that were applied"),
    mark("A workbook to fill in"),
    mark("What a workbook (the body) would add and change, and all of its faults; nothing is written"),
    mark("Apply a workbook (the body), all of it or nothing"),
    mark("Undo the last import, when nothing changed since"),
    mark("How long each class of personal data is kept"),
    mark("Keep a class of personal data for so many days"),
    mark("Sites that say when they are on duty"),
    mark("Say when a site is on duty; positions off duty are then not kept unless allowed"),
    mark("Methods with every version of their limits"),
    mark("Keep a method's next version"),
    mark("Jobs, the last made first"),
    mark("Jobs as CSV, the last made first"),
    mark("Plan a job"),
    mark("One job with its holds"),
    mark("Change the plan of a job that has not begun"),
    mark("Begin the work of a job"),
    mark("Let held work go on, with a reason"),
    mark("End the work of a job"),
    mark("A job's record: environment, presence, gaps and holds, from what is stored"),
    mark("A job's record as CSV"),
    mark("What a person is at doors, and their cards"),
    mark("Interlocks of the hub across gateways"),
    mark("Sessions of remote operation, the last begun first"),
    mark("Begin to operate an instrument from afar"),
    mark("A session with its transcript"),
    mark("A transcript as a file, with its hashes"),
    mark("Have the instrument do something"),
    mark("Write a note into a transcript"),
    mark("End a session of remote operation"),
    mark("Keep a rule of the hub under its name; it begins tripped"),
    mark("Trip, acknowledge, reset or enable one of the hub"),
    mark("Whether the process answers"),
    mark("A part of a recording as MP4, made for browsers; evidence is the part itself"),
    mark("A picture or a part of a recording, by the hash of its bytes"),
    mark("Cameras, and what they do now"),
    mark("Have what was recorded of a stretch brought here"),
    mark("One camera, and what it does now"),
    mark("What a camera did: recorded, not recorded and why, pictures, recordings that are here"),
    mark("What a camera sees now, as MJPEG"),
    mark("People of the organisations that you may see"),
    mark("One person"),
    mark("Enter a person"),
    mark("Change what is known of a person"),
    mark("Open a person's account or invite anew; the code is told this once"),
    mark("Close an account or open it again"),
    mark("Roles in force, and where"),
    mark("Grant a role"),
    mark("Take a role"),
    mark("Who is authorised for what; with `at` who was at that moment"),
    mark("Authorise a person"),
    mark("Withdraw an authorisation from a moment on"),
    mark("Your own tokens; none is shown again"),
    mark("Make a token; it is told this once"),
    mark("End a token"),
    mark("Who did what, and what was refused"),
    mark("The audit log of an interval as CSV, newest first"),
    mark("Whether database, schema and broker are there; 503 when not"),
    mark("Figures for Prometheus, in its text format"),
)
"""What the routes say of themselves, for the catalogues; a test compares them."""


@dataclass(frozen=True, slots=True)
class Operation:
    """One address; `link` is empty when something must be filled in first."""

    path: str
    method: str
    summary: str
    needed: str
    optional: str
    link: str


def mount_api_page(app: FastAPI, render: Renderer) -> None:
    """Add /api, to which /docs leads, to an app."""
    router = APIRouter(include_in_schema=False, route_class=PageRoute)

    async def page(request: Request) -> HTMLResponse:
        rows = list(operations(app.openapi(), language_of(request)))
        return render.page(request, "api.html", {"page": "api", "operations": rows})

    async def docs() -> RedirectResponse:
        return RedirectResponse("/api")

    router.add_api_route("/api", anybody(page))
    router.add_api_route("/docs", anybody(docs))
    app.include_router(router)


def operations(document: Mapping[str, Any], language: Language) -> Iterator[Operation]:
    """Yield the addresses of an OpenAPI document in its order, each with its methods."""
    for path, methods in document["paths"].items():
        for method, said in methods.items():
            parameters = said.get("parameters", [])
            needed = [one["name"] for one in parameters if one["required"]]
            yield Operation(
                path=path,
                method=method.upper(),
                summary=language.say(said["summary"]),
                needed=", ".join(needed),
                optional=", ".join(one["name"] for one in parameters if not one["required"]),
                link="" if needed or method != "get" else path,
            )
