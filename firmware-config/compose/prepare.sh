#!/bin/sh
# Before broker and hub start: authority and identities on the first run, broker configuration and tables on every one.
set -eu
trust=/var/lib/heng
[ -e "$trust/ca/root-cert.pem" ] || heng ca init --dir "$trust/ca" --host "$HENG_BROKER_HOST"
[ -d "$trust/ca/hubs/hub-1" ] || heng ca issue hub hub-1 --dir "$trust/ca"
heng broker config --dir "$trust/ca" --out "$trust/broker" --hub-host 0.0.0.0
heng database upgrade
