#!/usr/bin/env bash
# cargo-tool.sh NAME: prints the path of a cargo tool at the version pinned here, built on first use.
set -euo pipefail
source "$(dirname "$0")/lib.sh"

case ${1:-} in
cargo-deny) version=0.20.2 ;;
cargo-mutants) version=27.1.0 ;;
*) fail "usage: cargo-tool.sh cargo-deny|cargo-mutants" ;;
esac
tool=$1

install() {
    say "building $tool $version (a few minutes, once)"
    # Its own target folder: what cargo's configuration says of ours is not for tools.
    CARGO_TARGET_DIR=$1/target cargo install --quiet --locked --root "$1" "$tool@$version" >&2
    rm -rf "$1/target"
}

once "$cache/$tool-$version" install
printf '%s\n' "$cache/$tool-$version/bin/$tool"
