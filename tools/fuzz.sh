#!/usr/bin/env bash
# fuzz.sh [SECONDS]: runs every fuzz target for that long (60 if not said). Inputs that it finds
# worth keeping are left in fuzz/corpus/, those that break something in fuzz/artifacts/.
set -euo pipefail
source "$(dirname "$0")/lib.sh"

seconds=${1:-60}
need c++ "libFuzzer is written in C++; on Debian, install g++"
cd "$root/fuzz"
mapfile -t targets < <(sed -n 's/^name = "\(.*\)"$/\1/p' Cargo.toml | tail -n +2)
[ "${#targets[@]}" -gt 0 ] || fail "fuzz/Cargo.toml names no target"

say "building ${#targets[@]} fuzz targets"
# What cargo-fuzz passes for coverage, which the pinned toolchain takes as it is. No sanitizer: there
# is no unsafe code to watch.
flags=(--cfg fuzzing -Cpasses=sancov-module)
for argument in level=4 inline-8bit-counters pc-table trace-compares; do
    flags+=("-Cllvm-args=-sanitizer-coverage-$argument")
done
host=$(rustc -vV | sed -n 's/^host: //p')
# With a target named, the flags are not for build scripts and macros.
RUSTFLAGS="${flags[*]}" cargo build --release --locked --target "$host" --target-dir target
for target in "${targets[@]}"; do
    say "fuzzing $target for $seconds s"
    mkdir -p "corpus/$target" "artifacts/$target"
    "target/$host/release/$target" "corpus/$target" -artifact_prefix="artifacts/$target/" \
        -max_total_time="$seconds" -rss_limit_mb=1024 -timeout=10 2>&1 |
        grep --line-buffered -E 'ERROR|panicked|Test unit written|^Done' >&2
done
