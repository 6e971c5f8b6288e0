#!/usr/bin/env bash
# Runs an image that scripts/build-image.sh has made the way it is meant to run:
# not as root, without capabilities, with a read-only root file system, in an
# empty environment but for the image's. Its health check has to say so, a sample
# has to show, SIGTERM has to end it. Then it tells size and start-up time.
# Needs root, for the mount.
set -euo pipefail
tag=${1:?expected the tag of an image}
port=18080 queue=16379 rounds=11

container=$(buildah from "$tag")
root=$(buildah mount "$container")
folder=$(mktemp -d)
gateway=''
cleanup() {
  [ -z "$gateway" ] || kill "$gateway" 2>/dev/null || true
  umount "$folder" 2>/dev/null || true
  rmdir "$folder"
  buildah umount "$container" >/dev/null
  buildah rm "$container" >/dev/null
}
trap cleanup EXIT
mount --bind "$root" "$folder"
mount -o remount,bind,ro "$folder"

fail() { echo "$1" >&2; exit 1; }
config() { buildah inspect --format "$1" "$tag"; }
[ "$(config '{{.Docker.Config.User}}')" = 65532:65532 ] || fail "expected the user 65532:65532"
[ "$(config '{{.Docker.Config.Entrypoint}}')" = '[/prom-stream-gateway]' ] || fail "expected the gateway as the entry point"
[ "$(config '{{.Docker.Config.Healthcheck.Test}}')" = '[CMD /prom-stream-gateway healthcheck]' ] || fail "expected a health check"
mapfile -t environment < <(config '{{range .Docker.Config.Env}}{{println .}}{{end}}' | sed '/^$/d;/^ASPNETCORE_HTTP_PORTS=/d')

# inside COMMAND...: in the image, as its user, without any rights.
inside() {
  exec env -i "${environment[@]}" ASPNETCORE_HTTP_PORTS=$port \
    Redis__ConnectionString=embedded "Embedded__ListenAddress=127.0.0.1:$queue" \
    setpriv --no-new-privs --inh-caps=-all \
    unshare --root "$folder" --setgid 65532 --setuid 65532 "$@"
}
answers() { (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; }
start() { (inside /prom-stream-gateway) >/dev/null & gateway=$!; }
stop() {
  kill -TERM "$gateway"
  wait "$gateway" || fail "expected status 0 after SIGTERM, came $?"
  gateway=''
}
get() {
  exec 3<>"/dev/tcp/127.0.0.1/$port"
  printf 'GET %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n' "$1" >&3
  cat <&3
  exec 3>&-
}

(inside /prom-stream-gateway healthcheck) 2>/dev/null && fail "healthy before it runs"
times=()
for _ in $(seq $rounds); do
  began=$(date +%s%N)
  start
  until answers; do kill -0 "$gateway" || fail "it ended"; done
  times+=($((($(date +%s%N) - began) / 100000)))
  stop
done

start
until answers; do kill -0 "$gateway" || fail "it ended"; done
(inside /prom-stream-gateway healthcheck) || fail "expected a healthy gateway"
uid=$(awk '/^Uid/ { print $2 }' "/proc/$gateway/status")
capabilities=$(awk '/^CapEff/ { print $2 }' "/proc/$gateway/status")
[ "$uid $capabilities" = '65532 0000000000000000' ] || fail "it has rights: $uid $capabilities"
sample='{"name":"tried_total","value":2}' key=prom-stream-gateway:metric-queue
exec 4<>"/dev/tcp/127.0.0.1/$queue"
# shellcheck disable=SC2016 # dollars of the protocol
printf '*3\r\n$5\r\nLPUSH\r\n$%d\r\n%s\r\n$%d\r\n%s\r\n' ${#key} "$key" ${#sample} "$sample" >&4
read -r acknowledged <&4
exec 4>&-
[ "${acknowledged%$'\r'}" = :1 ] || fail "expected :1 to a push, came $acknowledged"
for _ in $(seq 1000); do
  seen=$(get /metrics | tr -d '\r' | grep '^tried_total ' || true)
  [ -n "$seen" ] && break
done
[ "$seen" = 'tried_total 2' ] || fail "expected the sample on /metrics, came $seen"
stop

mapfile -t times < <(printf '%s\n' "${times[@]}" | sort -n)
median=${times[$((rounds / 2))]}
binary=$(stat -c %s "$folder/prom-stream-gateway")
image=$(du -sb "$folder" | cut -f1)
echo "$tag: binary $((binary / 1024)) KiB, image $((image / 1024)) KiB uncompressed," \
  "listens $((median / 10)).$((median % 10)) ms after its start (median of $rounds)"
