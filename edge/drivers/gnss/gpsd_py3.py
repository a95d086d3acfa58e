"""Asks gpsd once through gpsd-py3 and writes one line: `python -m edge.drivers.gnss.gpsd_py3 HOST PORT`.

It serves the probe and the cross-check of the tests; it feeds no reading.
"""

import json
import sys

import gpsd


def answer(host: str, port: int) -> dict[str, object]:
    """Return mode, latitude, longitude and time as gpsd-py3 gives them; 0.0 where nothing was measured."""
    gpsd.connect(host=host, port=port)
    # The stream is on after connect, so that reports may come before the answer to ?POLL;.
    gpsd.gpsd_stream.write("?POLL;\n")
    gpsd.gpsd_stream.flush()
    for line in gpsd.gpsd_stream:
        packet = json.loads(line)
        if packet["class"] == "POLL":
            fix = gpsd.GpsResponse.from_json(packet)
            return {"mode": fix.mode, "lat": fix.lat, "lon": fix.lon, "time": fix.time, "alt": fix.alt}
    raise EOFError("gpsd closed the connection")


if __name__ == "__main__":
    json.dump(answer(sys.argv[1], int(sys.argv[2])), sys.stdout)
