#!/usr/bin/env bash
# python-env.sh NAME: prints the Python interpreter of a virtual environment that holds exactly
# tests/python/requirements-NAME.txt, made on first use and again when that file or Python changes.
set -euo pipefail
source "$(dirname "$0")/lib.sh"

need python3 "install Python 3.11 or later"
requirements=$root/tests/python/requirements-${1:?usage: python-env.sh NAME}.txt
[ -f "$requirements" ] || fail "$requirements is missing"
key=$({ cat "$requirements"; python3 -VV; } | sha256sum | head -c 16)

create() {
    say "installing the packages of $(basename "$requirements") from PyPI (once)"
    python3 -m venv "$1" >&2 || fail "python3 -m venv does not work: on Debian, install python3-venv"
    # Every package is listed with its version, so nothing is left for pip to choose.
    "$1/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps -r "$requirements" >&2
    "$1/bin/python" -m pip check --disable-pip-version-check >&2
}

once "$cache/venv-$key" create
printf '%s\n' "$cache/venv-$key/bin/python"
