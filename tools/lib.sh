# Sourced by the scripts beside it.
# shellcheck shell=bash

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck disable=SC2034 # the scripts that source this use it
cache=$root/.cache

# Says on standard error what goes on: standard output is for results.
say() { printf '%s\n' "$*" >&2; }

fail() {
    say "error: $*"
    exit 1
}

# need PROGRAM HINT: fails with the hint when the program is not there.
need() { command -v "$1" >/dev/null || fail "$1 is missing: $2"; }

# once FOLDER COMMAND...: makes FOLDER, unless it is there, by calling COMMAND with the name of a
# folder to fill. It appears under its name only when the command has succeeded; a second call at
# the same time waits for the first.
once() {
    local folder=$1
    shift
    [ ! -d "$folder" ] || return 0
    mkdir -p "$(dirname "$folder")"
    (
        flock 9
        [ ! -d "$folder" ] || exit 0
        rm -rf "$folder.part"
        mkdir "$folder.part"
        "$@" "$folder.part"
        mv "$folder.part" "$folder"
    ) 9>"$folder.lock"
}
