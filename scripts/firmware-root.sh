#!/usr/bin/env bash
# Makes a clean Debian root with what cloud-init would have installed for a laboratory's gateway, and the wheels.
# Needs root and the package mirrors. Usage: scripts/firmware-root.sh FOLDER
set -euo pipefail
cd "$(dirname "$0")/.."
folder=$1
PATH="$PATH:/usr/local/sbin:/usr/sbin:/sbin"

missing=()
for pair in debootstrap:debootstrap systemd-nspawn:systemd-container script:bsdutils unshare:util-linux; do
  command -v "${pair%%:*}" >/dev/null || missing+=("${pair#*:}")
done
if [ ${#missing[@]} -gt 0 ]; then
  apt-get update -qq
  apt-get install -qq -y --no-install-recommends "${missing[@]}" >/dev/null
fi

if [ ! -e "$folder/root/.made" ]; then
  rm -rf "$folder/root"
  mkdir -p "$folder"
  echo "firmware: clean Debian root (some minutes)"
  base=systemd,systemd-sysv,dbus,udev,iproute2,ca-certificates,libpam-systemd,kmod,netbase,python3
  debootstrap --variant=minbase --include="$base" bookworm "$folder/root" >"$folder/debootstrap.log" 2>&1 ||
    { tail -5 "$folder/debootstrap.log" && exit 1; }
  cp /etc/resolv.conf "$folder/root/etc/"
  # How this machine reaches the mirrors, for the installation alone.
  cp -r /etc/apt/apt.conf.d/. "$folder/root/etc/apt/apt.conf.d/"
  printf '#!/bin/sh\nexit 101\n' >"$folder/root/usr/sbin/policy-rc.d"
  chmod 755 "$folder/root/usr/sbin/policy-rc.d"
  packages=$(sed -n 's/^packages = \[\(.*\)\]/\1/p' firmware-config/profiles/laboratory.toml | tr -d '",')
  # shellcheck disable=SC2086  # a list
  DEBIAN_FRONTEND=noninteractive chroot "$folder/root" apt-get install -y --no-install-recommends \
    cloud-init $packages >"$folder/packages.log" 2>&1 || { tail -5 "$folder/packages.log" && exit 1; }
  rm "$folder/root/usr/sbin/policy-rc.d"
  touch "$folder/root/.made"
fi
echo "firmware: wheels"
mkdir -p "$folder/wheels"
.venv/bin/python -m pip download -q --no-deps --require-hashes -r requirements/edge.txt -d "$folder/wheels"
