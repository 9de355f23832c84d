#!/usr/bin/env bash
# bench.sh [OPTION...]: builds what is released, measures it, and prints a table of the figures. The
# options are those of the program: --quick, --only NAME.
set -euo pipefail
source "$(dirname "$0")/lib.sh"

need openssl "install it (Debian's package openssl)"
if ! command -v age >/dev/null; then
    # Only as root, where nothing needs to be asked.
    if [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null; then
        say "installing age"
        apt-get install --quiet --quiet --yes age >/dev/null 2>&1 || true
    fi
    command -v age >/dev/null || say "WARNING: age is missing: its rows are left out"
fi

cd "$root"
cargo=${CARGO:-cargo}
for program in sealward sealward-sidecar; do
    "$cargo" build --release --locked --package "$program" --bin "$program"
done
# It builds them again if need be, but then in the middle of measuring. One by one as here: together
# they would be built with other features of what they depend on.
exec "$cargo" run --release --locked --package sealward-tests --bin bench -- "$@"
