"""What the hub says beside rights: jobs of the site, and the calibrations of this gateway's points.

The newest document is kept over restarts; an older one, or one of another gateway, is refused.
"""

from collections.abc import Mapping, Sequence

from edge.control.given import Given, Member
from edge.control.hearers import Hearers
from rules.access.request import Job
from rules.interlock.model import Calibration


class WorkDesk(Member):
    """The document in force."""

    def __init__(self, given: Given) -> None:
        self._given = given
        self.changed = Hearers()

    def jobs(self) -> Sequence[Job]:
        """Return the jobs that are planned, running or held; none while nothing came."""
        return ()

    def calibrations(self) -> Mapping[str, Calibration]:
        """Return the certificate in force of each point that has one."""
        return {}
