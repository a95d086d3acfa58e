#!/usr/bin/env bash
# Style, types and layers; says nothing but what is wrong.
set -euo pipefail
cd "$(dirname "$0")/.."
.venv/bin/ruff check --quiet .
.venv/bin/ruff format --quiet --check .
.venv/bin/mypy --no-error-summary
.venv/bin/lint-imports --no-cache >.venv/lint-imports.log || {
  cat .venv/lint-imports.log
  exit 1
}
