"""States of gateways as their administrator sees them, and refusals of acts, in words for the catalogues."""

from cloud.web.words import mark

FLEET = {
    "waiting": ("late", mark("Waits for approval")),
    "ended": ("bad", mark("Certificate ended")),
    "offline": ("suspected", mark("Suspected offline")),
    "claimed": ("partly", mark("Claimed")),
    "bare": ("unmonitored", mark("Not enrolled")),
    "online": ("online", mark("Online")),
    "revoked": ("none", mark("Revoked")),
}
"""State of a gateway -> its look and word; what needs a person stands first."""
REFUSALS = {
    "taken": mark("This id is taken. Choose another one."),
    "enrolled": mark("This gateway is enrolled already; a new machine in its place is a replacement."),
    "revoked": mark("This gateway is revoked, and stays so."),
    "approved": mark("This gateway has asked for nothing that could be approved."),
    "why": mark("Say why, in 1 to 500 characters."),
    "no-site": mark("This gateway serves no site that could be taken over."),
    "replaced": mark("This gateway is replaced already."),
    "no-listener": mark("This hub enrols no gateways: it has to run with HENG_ENROL_CA first."),
    "id": mark("An id has 1 to 63 characters of a-z, 0-9 and '-'."),
    "hours": mark("A code is good for 1 to 720 hours."),
    "confirm": mark("Nothing was done: type the id of this gateway to confirm."),
    "site": mark("Choose a site of the list."),
}
"""Word of a refusal -> what to say."""
ENDING = {
    "root CA": mark("Root authority"),
    "issuing CA": mark("Issuing authority"),
    "hub CA": mark("Authority of hub workers"),
    "certificate of the broker": mark("Certificate of the broker"),
    "certificate of hub worker": mark("Certificate of the hub worker"),
    "certificate of this worker": mark("Certificate of this hub process"),
    "certificate of the pages": mark("Certificate of these pages"),
    "certificate of the media listener": mark("Certificate of the media listener"),
}
"""Kind of what ends (`provisioning.ends`) -> its word."""
PROFILES = {"laboratory": "laboratory", "mobile_lab": "mobile-laboratory", "vehicle": "vehicle"}
"""Kind of a site -> profile of `heng first-boot`."""
ENROLLED, HEARD, STORED = mark("Enrolled"), mark("First batch arrived"), mark("First reading stored")
