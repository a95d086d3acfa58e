#!/usr/bin/env bash
# Pins every dependency with its hashes, from the extras of pyproject.toml. Needs uv (https://docs.astral.sh/uv/).
# Usage: scripts/compile-requirements.sh [--upgrade]
set -euo pipefail
cd "$(dirname "$0")/../requirements"
compile() {
  out=$1 && shift
  UV_CUSTOM_COMPILE_COMMAND=scripts/compile-requirements.sh \
    uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
    --no-emit-find-links "$@" ../pyproject.toml -o "$out"
}
compile dev.txt --all-extras "$@"
compile edge.txt --extra build --extra edge --extra pi -c dev.txt
compile cloud.txt --extra build --extra cloud -c dev.txt
compile sim.txt --extra build --extra edge --extra cloud --extra sim -c dev.txt
