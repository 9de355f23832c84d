#!/usr/bin/env bash
# sops.sh: prints the path of the sops program at the version pinned in sops/go.mod, built on first use.
set -euo pipefail
source "$(dirname "$0")/lib.sh"

need go "install Go 1.26 or later (https://go.dev/dl/)"
version=$(awk '$2 == "github.com/getsops/sops/v3" { print $3 }' "$root/tools/sops/go.mod")

build() {
    say "building sops $version (about a minute, once)"
    CGO_ENABLED=0 go build -C "$root/tools/sops" -mod=readonly -trimpath -ldflags "-s -w" \
        -o "$1/sops" github.com/getsops/sops/v3/cmd/sops
}

once "$cache/bin/sops-$version" build
printf '%s\n' "$cache/bin/sops-$version/sops"
