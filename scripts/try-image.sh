#!/usr/bin/env bash
# Runs an image that scripts/build-image.sh has made the way it is meant to run:
# not as root, without capabilities, with a read-only root file system in which
# only the folder of the state file can be written, in an empty environment but
# for the image's. Its health check has to say so, samples have to show, from a
# Redis and from the embedded queue, SIGTERM has to end it, and what it counted
# has to be there after it. Then it tells size and start-up time.
# Needs root, for the mounts, and redis-server.
#   scripts/try-image.sh TAG
set -euo pipefail
tag=${1:?expected the tag of an image}
port=18080 redis_port=16380 embedded_port=16379 rounds=20
state=/var/lib/prom-stream-gateway

# shellcheck source=scripts/asking.sh
. "$(dirname "${BASH_SOURCE[0]}")/asking.sh"
command -v redis-server >/dev/null || fail "expected redis-server: apt-get install redis-server"

container=$(buildah from "$tag")
root=$(buildah mount "$container")
folder=$(mktemp -d) volume=$(mktemp -d)
gateway='' redis=''
cleanup() {
  [ -z "$gateway" ] || kill "$gateway" 2>/dev/null || true
  [ -z "$redis" ] || kill "$redis" 2>/dev/null || true
  umount "$folder$state" 2>/dev/null || true
  umount "$folder" 2>/dev/null || true
  rmdir "$folder"
  rm -r "$volume"
  buildah umount "$container" >/dev/null
  buildah rm "$container" >/dev/null
}
trap cleanup EXIT
mount --bind "$root" "$folder"
mount -o remount,bind,ro "$folder"
# As an engine mounts an empty volume: with the owner of the folder below it.
chown --reference "$folder$state" "$volume"
chmod --reference "$folder$state" "$volume"
mount --bind "$volume" "$folder$state"
if touch "$folder/written" 2>/dev/null; then fail "expected a read-only root file system"; fi

config() { buildah inspect --format "$1" "$tag"; }
[ "$(config '{{.Docker.Config.User}}')" = 65532:65532 ] || fail "expected the user 65532:65532"
[ "$(config '{{.Docker.Config.Entrypoint}}')" = '[/prom-stream-gateway]' ] || fail "expected the gateway as the entry point"
[ "$(config '{{.Docker.Config.Healthcheck.Test}}')" = '[CMD /prom-stream-gateway healthcheck]' ] || fail "expected a health check"
revision=$(config '{{index .Docker.Config.Labels "org.opencontainers.image.revision"}}')
mapfile -t environment < <(config '{{range .Docker.Config.Env}}{{println .}}{{end}}' | sed '/^$/d;/^ASPNETCORE_HTTP_PORTS=/d')
environment+=("ASPNETCORE_HTTP_PORTS=$port" "Metrics__StateFile=$state/state")

# inside COMMAND...: in the image, as its user, without any rights.
inside() {
  exec env -i "${environment[@]}" "${queue[@]}" \
    setpriv --no-new-privs --inh-caps=-all \
    unshare --root "$folder" --setgid 65532 --setuid 65532 "$@"
}
start() {
  (inside /prom-stream-gateway) >/dev/null & gateway=$!
  until status /-/ready; do kill -0 "$gateway" 2>/dev/null || fail "it ended"; done
}
stop() {
  kill -TERM "$gateway"
  wait "$gateway" || fail "expected status 0 after SIGTERM, came $?"
  gateway=''
}
# measure: the median from the command to the first 200 of /-/ready.
measure() {
  local times=() began
  for _ in $(seq $rounds); do
    rm -f "$volume"/*
    began=$(date +%s%N)
    start
    times+=($((($(date +%s%N) - began) / 100000)))
    stop
  done
  mapfile -t times < <(printf '%s\n' "${times[@]}" | sort -n)
  local median=$(((times[rounds / 2 - 1] + times[rounds / 2]) / 2))
  echo "$((median / 10)).$((median % 10))"
}

# try PORT OF THE QUEUE: a round with the queue that is set.
try() {
  rm -f "$volume"/*
  (inside /prom-stream-gateway healthcheck) 2>/dev/null && fail "healthy before it runs"
  start
  (inside /prom-stream-gateway healthcheck) || fail "expected a healthy gateway"
  local rights
  rights=$(awk '/^Uid|^Gid|^CapEff/ { print $2 }' "/proc/$gateway/status" | paste --serial --delimiters ' ')
  [ "$rights" = '65532 65532 0000000000000000' ] || fail "it has rights: $rights"
  push "$1" tried_total
  shows 'tried_total 2'
  tells "$revision"
  stop
  start
  shows 'tried_total 2'
  stop
}

redis-server --bind 127.0.0.1 --port $redis_port --save '' --dir "$volume" --daemonize no >/dev/null & redis=$!
until { exec 3<>"/dev/tcp/127.0.0.1/$redis_port"; } 2>/dev/null; do kill -0 "$redis" || fail "no Redis"; done
exec 3>&-
queue=("Redis__ConnectionString=127.0.0.1:$redis_port")
try $redis_port
with_redis=$(measure)
queue=(Redis__ConnectionString=embedded "Embedded__ListenAddress=127.0.0.1:$embedded_port")
try $embedded_port
with_embedded=$(measure)

binary=$(stat -c %s "$folder/prom-stream-gateway")
umount "$folder$state"
image=$(du -sb --apparent-size "$folder" | cut -f1)
echo "$tag, revision $revision: binary $((binary / 1024)) KiB, image $((image / 1024)) KiB uncompressed," \
  "ready $with_redis ms after its start with a Redis, $with_embedded ms with the embedded queue (median of $rounds)"
