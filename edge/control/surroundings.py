"""What a gateway's interlocks may name: its points, its outputs, its doors."""

from collections.abc import Iterable, Mapping, Sequence

from edge.control.outputs import Output, OutputDriver
from rules.interlock.configured import Surroundings
from rules.interlock.model import Calibration
from rules.interlock.model import Output as RuleOutput
from wire.messages import PointDeclaration
from wire.settings.gateway import GatewaySettings
from wire.settings.interlock import InterlockEffect


def surroundings(
    settings: GatewaySettings,
    points: Iterable[PointDeclaration],
    outputs: Iterable[Output],
    *,
    calibrations: Mapping[str, Calibration] | None = None,
) -> Surroundings:
    """Return what the rules may name."""
    return Surroundings(
        points={point.name: point for point in points},
        outputs={
            one.name: RuleOutput(name=one.name, safe=one.safe, read_back_s=one.read_back_s) for one in outputs
        },
        portals=frozenset(portal.name for portal in settings.portal),
        calibrations=calibrations or {},
    )


def outputs_of(drivers: Iterable[object]) -> Sequence[Output]:
    """Return every output that these drivers declare."""
    return [output for driver in drivers if isinstance(driver, OutputDriver) for output in driver.outputs]


def sets_itself(effect: InterlockEffect, output: Output | None, settings: GatewaySettings) -> bool:
    """Whether an interlock switches its output on again, or leaves it to whoever may set it then."""
    if effect.release is not None:
        return effect.release == "set" and output is not None and output.kind == "switch"
    others = {one.output for one in settings.equipment} | {one.lock_output for one in settings.portal}
    return output is not None and output.kind == "switch" and output.name not in others
