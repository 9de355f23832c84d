#!/usr/bin/env bash
# test.sh TARGET...: makes each target as one stage, and ends with a table of how each went and how
# long it took. A stage that fails does not keep the others from running; the exit status tells.
set -euo pipefail
source "$(dirname "$0")/lib.sh"

started=$SECONDS
table=()
failed=0
for target in "$@"; do
    printf '\n=== %s (stage %d of %d)\n' "$target" "$((${#table[@]} + 1))" "$#"
    stage_started=$SECONDS
    if make --no-print-directory -C "$root" "$target"; then
        result=passed
    else
        result=FAILED
        failed=$((failed + 1))
    fi
    table+=("$(printf '%-18s %6d s  %s' "$target" "$((SECONDS - stage_started))" "$result")")
done

printf '\n%-18s %8s  %s\n' stage time result
printf '%s\n' "${table[@]}"
printf '%-18s %6d s  %s\n' all "$((SECONDS - started))" "$((${#table[@]} - failed)) of $# stages passed"
[ "$failed" -eq 0 ]
