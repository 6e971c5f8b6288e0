# shellcheck shell=bash
# Asking a running gateway on $port of this machine, with nothing but bash; for
# sourcing. `fail` ends the script.

: "${port:?expected the port of the gateway}"
key=prom-stream-gateway:metric-queue

fail() { echo "$1" >&2; exit 1; }

# status PATH: whether it answers 200. Starts no process, which would count as
# start-up time.
status() {
  local line
  { exec 3<>"/dev/tcp/127.0.0.1/$port"; } 2>/dev/null || return 1
  printf 'GET %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n' "$1" >&3
  read -r line <&3 || line=''
  exec 3<&-
  [ "${line#HTTP/1.1 }" = $'200 OK\r' ]
}

metrics() {
  exec 3<>"/dev/tcp/127.0.0.1/$port"
  printf 'GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n' >&3
  tr -d '\r' <&3
  exec 3>&-
}

# push PORT NAME: one sample with the value 2, onto the queue there.
push() {
  local sample="{\"name\":\"$2\",\"value\":2}" acknowledged
  exec 4<>"/dev/tcp/127.0.0.1/$1"
  # shellcheck disable=SC2016 # dollars of the protocol
  printf '*3\r\n$5\r\nLPUSH\r\n$%d\r\n%s\r\n$%d\r\n%s\r\n' ${#key} "$key" ${#sample} "$sample" >&4
  read -r acknowledged <&4
  exec 4>&-
  [ "${acknowledged%$'\r'}" = :1 ] || fail "expected :1 to a push, came $acknowledged"
}

# shows LINE: on /metrics, within ten seconds.
shows() {
  local until=$((SECONDS + 10)) seen=''
  while [ "$SECONDS" -le $until ]; do
    seen=$(metrics)
    grep --quiet --fixed-strings --line-regexp "$1" <<<"$seen" && return
  done
  fail "expected $1 on /metrics, came ${seen:0:2000}"
}

# tells REVISION: in build_info.
tells() {
  grep --quiet "^prom_stream_gateway_build_info{.*revision=\"$1\"" <<<"$(metrics)" ||
    fail "expected the revision $1 in build_info"
}
