#!/usr/bin/env bash
# demo.sh: both jobs of Sealward on real input, on this machine, without a cluster. `make demo`.
#
# Everything is in a folder under TMPDIR that goes away at the end, however that comes.
#   SEALWARD_DEMO_MIB       size of the large file in MiB (1024)
#   SEALWARD_DEMO_PROGRAMS  a folder with the programs, so that none are built
set -euo pipefail
source "$(dirname "$0")/lib.sh"

mib=${SEALWARD_DEMO_MIB:-1024}
programs=${SEALWARD_DEMO_PROGRAMS:-}

main() {
    need openssl "install openssl 3"
    need curl "install curl"
    [ -n "$programs" ] || need cargo "install Rust from https://rustup.rs"
    work=$(realpath "$(mktemp -d "${TMPDIR:-/tmp}/sealward-demo.XXXXXX")")
    trap clean_up EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM HUP
    check_space
    exec 2>&1 # so that what programs say comes where they are shown
    unset RUST_BACKTRACE
    # A proxy is not for requests to this machine.
    export no_proxy=localhost,127.0.0.1 NO_PROXY=localhost,127.0.0.1

    build
    cd "$work"
    export PATH=$programs:$PATH
    start_local_mode
    make_certificate
    encrypt_private_key
    serve_page
    refuse_wrong_token
    refuse_deleted_key
    encrypt_large_file
    decrypt_large_file
    refuse_damaged_file
    step "Done"
    note "The server ran with an encrypted private key, and $mib MiB went out and came back unchanged."
    note "Everything started here is being stopped and removed."
}

build() {
    step "Build the programs"
    if [ -n "$programs" ]; then
        programs=$(realpath "$programs")
        note "They are there already."
        return
    fi
    note "From nothing this takes some minutes."
    cd "$root"
    run cargo build --release --locked --package sealward --package example-https-certificate
    programs=$(cargo metadata --format-version 1 --no-deps --locked |
        sed -n 's/.*"target_directory":"\([^"]*\)".*/\1/p')/release
}

start_local_mode() {
    step "Start Sealward on this machine"
    note "This is all of the configuration: one customer master key (CMK)."
    cat > shop.yaml <<'YAML'
apiVersion: sealward.dev/v1alpha1
kind: CustomerMasterKey
metadata:
  name: shop
spec:
  description: TLS keys and files of the shop
YAML
    run cat shop.yaml
    show sealward dev shop.yaml --data keys --port 0 "&"
    sealward dev shop.yaml --data keys --port 0 --admin-port 0 > .dev.out 2> .dev.err &
    dev=$!
    SEALWARD_ENDPOINT=$(await 'http://127\.0\.0\.1:[0-9]+' .dev.out "$dev" .dev.err)
    SEALWARD_TOKEN_FILE=$work/keys/token
    export SEALWARD_ENDPOINT SEALWARD_TOKEN_FILE
    cat .dev.err .dev.out
    note "Programs find it by these two variables:"
    show export SEALWARD_ENDPOINT="$SEALWARD_ENDPOINT" SEALWARD_TOKEN_FILE="$SEALWARD_TOKEN_FILE"
    run sealward keys
}

make_certificate() {
    step "Make an HTTPS certificate, and the private key that belongs to it"
    local new_key=(-newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc -days 1)
    run openssl req -x509 "${new_key[@]}" -subj "/CN=Demo-CA" -keyout ca.key -out ca.pem
    run openssl req -x509 "${new_key[@]}" -subj "/CN=localhost" \
        -addext subjectAltName=DNS:localhost -addext basicConstraints=critical,CA:FALSE \
        -CA ca.pem -CAkey ca.key -keyout tls.key -out tls.pem
    run head -n 2 tls.key
}

encrypt_private_key() {
    step "Encrypt the private key, and remove the plaintext"
    run_to tls.key.sealed sealward encrypt --key shop --in tls.key
    run rm tls.key ca.key
    run cat tls.key.sealed
}

serve_page() {
    step "Start an HTTPS server that has only the certificate and the ciphertext"
    run ls
    note "keys is the data folder of Sealward."
    show example-https-certificate tls.pem tls.key.sealed 0 "&"
    example-https-certificate tls.pem tls.key.sealed 0 > .server.out 2> .server.err &
    server=$!
    local url
    url=$(await 'https://localhost:[0-9]+/' .server.out "$server" .server.err)
    note "At startup it had the private key decrypted, into its memory only. Now it listens."
    note "A page, over TLS that curl verifies:"
    run curl --silent --show-error --fail --cacert ca.pem "$url"
    kill "$server"
    wait "$server"
}

refuse_wrong_token() {
    step "Somebody without the token gets nothing"
    printf 'a-guess' > wrong-token
    refused 3 env SEALWARD_TOKEN_FILE=wrong-token sealward decrypt --in tls.key.sealed
}

refuse_deleted_key() {
    step "Once its CMK is deleted the server no longer starts; for 30 days that can be undone"
    run sealward delete shop --data keys
    await 'Changed .*PendingDeletion' .dev.out "$dev" .dev.err > .changed
    note "The running Sealward has seen it:"
    cat .changed
    refused 1 example-https-certificate tls.pem tls.key.sealed 0
    run sealward restore shop --data keys
    await 'Changed .* Ready' .dev.out "$dev" .dev.err > .changed
    cat .changed
    show sealward decrypt --in tls.key.sealed "|" openssl pkey -noout -check
    sealward decrypt --in tls.key.sealed | openssl pkey -noout -check
}

encrypt_large_file() {
    step "Large data: encrypt a file of $mib MiB under a data key of its own"
    run_to backup.db head -c "${mib}M" /dev/urandom
    original=$(checksum backup.db)
    note "sha256 $original"
    timed sealward file encrypt --key shop backup.db backup.db.sealed
    run ls -l backup.db backup.db.sealed
    run rm backup.db
}

decrypt_large_file() {
    step "Decrypt it, and compare"
    timed sealward file decrypt backup.db.sealed backup.db
    local decrypted
    decrypted=$(checksum backup.db)
    note "sha256 $decrypted"
    [ "$decrypted" = "$original" ] || fail "this is not the file that was encrypted"
    note "The same."
    run rm backup.db
}

refuse_damaged_file() {
    step "One changed byte in the middle of it, and nothing comes out"
    flip_byte backup.db.sealed $((mib * 1024 * 1024 / 2))
    refused 5 sealward file decrypt backup.db.sealed backup.db
    [ ! -e backup.db ] || fail "a damaged file was decrypted"
    note "No backup.db was left behind."
}

##### What the steps are made of

number=0
bold='' plain=''
if [ -t 1 ]; then bold=$'\e[1m' plain=$'\e[0m'; fi

step() {
    number=$((number + 1))
    printf '\n%s%d. %s%s\n\n' "$bold" "$number" "$*" "$plain"
}

note() { printf '   %s\n' "$*"; }

# Shows a command as it would be typed.
show() { printf '%s$ %s%s\n' "$bold" "$*" "$plain"; }

# Shows and runs a command. In the background, so that a signal ends the demo at once.
run() {
    show "$@"
    "$@" &
    wait "$!"
}

# The same with its output in a file.
run_to() {
    local file=$1
    shift
    show "$@" ">" "$file"
    "$@" > "$file" &
    wait "$!"
}

# refused STATUS COMMAND...: the same for a command that must fail, and in this way.
refused() {
    local expected=$1 status=0
    shift
    show "$@"
    "$@" &
    wait "$!" || status=$?
    [ "$status" -eq "$expected" ] || fail "exit status $status, and not $expected"
    note "Refused, with exit status $status."
}

# The same, with the time it takes to go through the large file.
timed() {
    local began=$EPOCHREALTIME
    run "$@"
    note "$(awk -v mib="$mib" -v from="$began" -v to="$EPOCHREALTIME" \
        'BEGIN { printf "%.2f s, %.0f MiB/s", to - from, mib / (to - from) }')"
}

# await PATTERN FILE PID LOG: waits until the process has written the pattern to the file; prints it.
await() {
    local deadline=$((SECONDS + 30))
    until grep -s -m 1 -oE "$1" "$2"; do
        kill -0 "$3" 2> /dev/null || fail "it ended: $(cat "$4")"
        [ "$SECONDS" -lt "$deadline" ] || fail "it is not ready after 30 s: $(cat "$4")"
        sleep 0.05
    done
}

checksum() { sha256sum "$1" | cut -d ' ' -f 1; }

# flip_byte FILE OFFSET: changes one bit.
flip_byte() {
    local byte
    byte=$(od -A n -t u1 -j "$2" -N 1 "$1")
    # shellcheck disable=SC2059 # the format is the byte
    printf "\\x$(printf %x $((byte ^ 1)))" | dd of="$1" bs=1 seek="$2" conv=notrunc status=none
}

# The file, and its encrypted or decrypted copy beside it.
check_space() {
    local needed=$((2 * mib + 64)) free
    free=$(df -P -m "$work" | awk 'NR == 2 { print $4 }')
    [ "$free" -ge "$needed" ] ||
        fail "$needed MiB are needed in $(dirname "$work"), $free are free: set TMPDIR to another folder"
}

clean_up() {
    local status=$? pid
    trap '' INT TERM HUP
    for pid in $(jobs -p); do
        kill "$pid" 2> /dev/null || continue
        timeout 10 tail --pid="$pid" -f /dev/null || kill -KILL "$pid"
    done
    cd /
    rm -rf "$work"
    exit "$status"
}

main
