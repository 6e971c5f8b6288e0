#!/usr/bin/env bash
# Tries a binary that scripts/build-static.sh has made: it needs no library of the
# machine, tells version and revision, takes a sample and shows it, ends by
# SIGTERM. A binary of another architecture runs under an emulator.
#   scripts/try-static.sh BINARY [EMULATOR]
#   scripts/try-static.sh dist/prom-stream-gateway-arm64 qemu-aarch64-static
set -euo pipefail
binary=$(realpath "${1:?expected a binary}") emulator=${2:-}
port=18081 queue=16381
# shellcheck source=scripts/asking.sh
. "$(dirname "${BASH_SOURCE[0]}")/asking.sh"
cd "$(dirname "${BASH_SOURCE[0]}")/.."
version=$(sed -n '/^\[workspace.package\]/,/^$/s/^version = "\(.*\)"/\1/p' Cargo.toml)
revision=${PSG_REVISION:-$(scripts/revision.sh)}

if readelf --program-headers --dynamic --wide "$binary" | grep --extended-regexp 'INTERP|\(NEEDED\)'; then
  fail "expected a static binary"
fi
folder=$(mktemp -d)
gateway=''
cleanup() {
  [ -z "$gateway" ] || kill "$gateway" 2>/dev/null || true
  rmdir "$folder"
}
trap cleanup EXIT
# Where there is no appsettings.json.
cd "$folder"
# run ARGUMENT...: an empty environment but for settings.
run() {
  exec env -i ${emulator:+"$(command -v "$emulator")"} "$binary" "$@"
}
said=$(run --version)
[ "$said" = "prom-stream-gateway $version" ] || fail "expected version $version, came $said"
grep --quiet '^Usage: ' <<<"$(run --help)" || fail "expected help"

(exec env -i "Http__ListenAddress=127.0.0.1:$port" Redis__ConnectionString=embedded \
  "Embedded__ListenAddress=127.0.0.1:$queue" \
  ${emulator:+"$(command -v "$emulator")"} "$binary") >/dev/null & gateway=$!
until status /-/ready; do kill -0 "$gateway" 2>/dev/null || fail "it ended"; done
push $queue tried_total
shows 'tried_total 2'
tells "$revision"
kill -TERM "$gateway"
wait "$gateway" || fail "expected status 0 after SIGTERM, came $?"
gateway=''
echo "$1: $(readelf --file-header "$binary" | sed -n 's/ *Machine: *//p'), static, $version, revision $revision, takes and shows a sample"
