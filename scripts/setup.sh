#!/usr/bin/env bash
# Makes a fresh clone ready: system programs, .venv, browser libraries. Quick when nothing changed.
# Usage: scripts/setup.sh [--with-tests]   (--with-tests also brings what only the tests need)
set -euo pipefail
cd "$(dirname "$0")/.."
PATH="$PATH:/usr/local/sbin:/usr/sbin:/sbin"

say() { printf 'setup: %s\n' "$*"; }
fail() {
  printf 'setup: %s\n' "$*" >&2
  exit 1
}

# Runs a command and shows what it said only when it failed.
quietly() {
  local said
  said=$("$@" 2>&1 </dev/null) || fail "failed: $*
$said"
}

# --- system programs --------------------------------------------------------------------------------

# command:package; a command that is there already, from wherever, is left as it is.
needed_programs() {
  printf "%s\n" mosquitto:mosquitto gpsd:gpsd upsd:nut-server upsc:nut-client faketime:faketime dbus-daemon:dbus ffmpeg:ffmpeg
  if [ -f package.json ]; then printf '%s\n' node:nodejs npm:npm; fi
  if [ "${1:-}" = --with-tests ]; then printf '%s\n' chromium:chromium strace:strace curl:curl openssl:openssl; fi
}

present() {
  case "$1" in
    chromium) command -v chromium || command -v chromium-browser || command -v google-chrome ;;
    *) command -v "$1" ;;
  esac >/dev/null 2>&1
}

missing_packages() {
  needed_programs "${1:-}" | while IFS=: read -r program package; do
    present "$program" || printf '%s\n' "$package"
  done
  if ! python=$(find_python); then
    command -v python3 >/dev/null || printf '%s\n' python3 python3-venv
  elif ! "$python" -c 'import venv, ensurepip' 2>/dev/null; then
    "$python" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])'
  fi
}

find_python() {
  for name in python3 python3.13 python3.12 python3.11; do
    if "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
      command -v "$name"
      return
    fi
  done
  return 1
}

# --- freshly installed services stay off and closed --------------------------------------------------

# Mosquitto without a listener accepts anonymous clients on loopback, even with allow_anonymous false. This is
# written before the package arrives, so that a system broker that only we brought never does, whoever starts it.
close_system_broker() {
  $sudo mkdir -p /etc/mosquitto/conf.d
  $sudo tee /etc/mosquitto/conf.d/heng-no-anonymous.conf >/dev/null <<'SNIPPET'
# Written by Heng's set-up: nobody enters this broker without a name and a password.
# Heng never uses it; the demo and the hub run brokers of their own. Who sets it up removes this file.
listener 1883 127.0.0.1
allow_anonymous false
SNIPPET
}

policy=/usr/sbin/policy-rc.d
policy_backup=

forbid_service_starts() {
  if [ -e "$policy" ] || [ -L "$policy" ]; then
    policy_backup=$policy.before-heng
    $sudo mv -f "$policy" "$policy_backup"
  fi
  printf '#!/bin/sh\nexit 101\n' | $sudo tee "$policy" >/dev/null
  $sudo chmod 755 "$policy"
  trap restore_service_starts EXIT
}

restore_service_starts() {
  $sudo rm -f "$policy"
  if [ -n "$policy_backup" ]; then $sudo mv -f "$policy_backup" "$policy"; fi
  trap - EXIT
}

# Not at the next boot either, with systemd or without. Units of packages that were here before are not touched.
disable_services() {
  local package unit script
  for package in "$@"; do
    dpkg -L "$package" | sed -n 's,^\(/usr\)\?/lib/systemd/system/\([^/@]*\.\(service\|socket\|target\|path\)\)$,\2,p' |
      while read -r unit; do
        if command -v systemctl >/dev/null; then $sudo systemctl --quiet disable "$unit" </dev/null >/dev/null 2>&1 || true; fi
      done
    dpkg -L "$package" | sed -n 's,^/etc/init.d/,,p' |
      while read -r script; do $sudo update-rc.d "$script" disable </dev/null >/dev/null 2>&1 || true; done
  done
}

install_packages() {
  command -v apt-get >/dev/null || fail "missing on this machine: $*.
setup: those are the Debian package names; this is no apt system, so install them by its own means and run again."
  sudo=
  if [ "$(id -u)" != 0 ]; then
    command -v sudo >/dev/null || fail "missing: $*. As root: apt-get install --no-install-recommends $*"
    sudo=sudo
  fi
  say "installing $*"
  case " $* " in *' mosquitto '*) close_system_broker ;; esac
  forbid_service_starts
  quietly $sudo apt-get -qq update
  quietly $sudo env DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends "$@"
  disable_services "$@"
  restore_service_starts
}

# --- .venv and browser libraries ---------------------------------------------------------------------

stamp_of() { { pwd && cat "$@"; } | sha256sum | cut -d' ' -f1; }

is_current() { [ -f "$1" ] && [ "$(cat "$1")" = "$2" ]; }

make_venv() {
  local python stamp
  stamp=$(stamp_of requirements/dev.txt pyproject.toml scripts/setup.sh)
  if is_current .venv/heng-stamp "$stamp"; then return; fi
  python=$(find_python) || fail "needs Python 3.11 or newer; on Debian 12: apt-get install python3 python3-venv"
  if ! .venv/bin/python -m pip --version >/dev/null 2>&1; then
    say "creating .venv with $("$python" --version)"
    "$python" -m venv .venv
  fi
  say "installing requirements/dev.txt"
  .venv/bin/python -m pip install -qq --disable-pip-version-check --require-hashes -r requirements/dev.txt
  .venv/bin/python -m pip install -qq --disable-pip-version-check --no-build-isolation --no-deps -e .
  printf '%s\n' "$stamp" >.venv/heng-stamp
}

make_browser_libraries() {
  [ -f package.json ] || return 0
  local stamp omit=--omit=dev mark=node_modules/heng-stamp
  if [ "${1:-}" = --with-tests ]; then omit=--include=dev mark=node_modules/heng-stamp-tests; fi
  stamp=$(stamp_of package.json package-lock.json)
  if is_current "$mark" "$stamp" || is_current node_modules/heng-stamp-tests "$stamp"; then return; fi
  say "installing browser libraries"
  npm ci --silent --no-audit --no-fund "$omit"
  printf '%s\n' "$stamp" >"$mark"
}

mapfile -t packages < <(missing_packages "${1:-}")
if [ "${#packages[@]}" -gt 0 ]; then install_packages "${packages[@]}"; fi
make_venv
make_browser_libraries "${1:-}"
