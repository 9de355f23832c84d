#!/usr/bin/env bash
# fuzz.sh [SECONDS]: runs every fuzz target for that long (60 if not said). Inputs that it finds
# worth keeping are left in fuzz/corpus/, those that break something in fuzz/artifacts/.
set -euo pipefail
source "$(dirname "$0")/lib.sh"

seconds=${1:-60}
need c++ "libFuzzer is written in C++; on Debian, install g++"
cargo_fuzz=$("$root/tools/cargo-tool.sh" cargo-fuzz)
cd "$root"
mapfile -t targets < <("$cargo_fuzz" list)
[ "${#targets[@]}" -gt 0 ] || fail "cargo fuzz list names no target in fuzz/"

say "building ${#targets[@]} fuzz targets"
# No sanitizer: there is no unsafe code to watch, and none of it is needed on a stable toolchain.
"$cargo_fuzz" build --sanitizer none
for target in "${targets[@]}"; do
    say "fuzzing $target for $seconds s"
    "$cargo_fuzz" run --sanitizer none "$target" -- \
        -max_total_time="$seconds" -rss_limit_mb=1024 -timeout=10 2>&1 |
        grep --line-buffered -E 'ERROR|panicked|Test unit written|^Done' >&2
done
