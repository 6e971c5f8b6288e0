#!/usr/bin/env bash
# Builds the static binary of a commit twice and compares the bytes. The builds
# have Rust, clang and musl in common, and nothing else that a machine may have
# its own way with: each is a clone in its own folder, and the second one has a
# crate registry, a target folder, times of files, a time zone, a locale and a
# umask of its own.
#   scripts/check-reproducible.sh [--commit COMMIT] [--output FOLDER] [amd64|arm64]...
# Without an architecture it is both. What was the same is put into the folder,
# by the name of its architecture. Takes as long as all these builds.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

commit=HEAD output='' architectures=()
while [ $# -gt 0 ]; do
  case $1 in
    --commit) commit=${2:?expected a commit} && shift 2 ;;
    --output) output=${2:?expected a folder} && shift 2 ;;
    amd64 | arm64) architectures+=("$1") && shift ;;
    *) echo "expected --commit, --output, amd64 or arm64, came $1" >&2 && exit 2 ;;
  esac
done
[ ${#architectures[@]} != 0 ] || architectures=(amd64 arm64)
commit=$(git rev-parse --verify --quiet "$commit^{commit}") || { echo "expected a commit" >&2; exit 2; }
if [ -n "$(git status --porcelain)" ]; then echo "what is not committed is not built" >&2; fi

# Its own: what the caller has set of these would make the builds alike.
unset CARGO_TARGET_DIR PSG_REVISION
registry=${CARGO_HOME:-$HOME/.cargo}
# Rust stays, wherever cargo's home is.
export RUSTUP_HOME=${RUSTUP_HOME:-$HOME/.rustup}
work=$(mktemp -d)
keep=''
trap '[ -n "$keep" ] || rm -rf "$work"' EXIT

# clone FOLDER: the commit, with its history for the revision.
clone() {
  git clone --quiet --no-hardlinks . "$1"
  git -C "$1" -c advice.detachedHead=false checkout --quiet "$commit"
}
clone "$work/one"
other=$work/another-one/with/a/longer/path
mkdir -p "$work/registry-of-its-own/registry"
clone "$other"
find "$other" -path '*/.git' -prune -o -type f -exec touch --date '2001-02-03 04:05:06' {} +
# What has been fetched need not be fetched again; it is unpacked anew.
for part in index cache; do
  [ ! -d "$registry/registry/$part" ] || cp -r "$registry/registry/$part" "$work/registry-of-its-own/registry/"
done

build_one() { "$work/one/scripts/build-static.sh" "$1" "$work/one-$1"; }
build_other() (
  export CARGO_HOME=$work/registry-of-its-own CARGO_TARGET_DIR=$work/target-of-its-own
  export TZ=Pacific/Chatham LC_ALL=C.UTF-8
  umask 077
  "$other/scripts/build-static.sh" "$1" "$work/other-$1"
)

for architecture in "${architectures[@]}"; do
  build_one "$architecture"
  build_other "$architecture"
  if ! cmp "$work/one-$architecture" "$work/other-$architecture"; then
    keep=yes
    echo "$architecture: expected the same bytes; the two binaries are in $work" >&2
    continue
  fi
  [ -z "$output" ] || install -D "$work/one-$architecture" "$output/prom-stream-gateway-$architecture"
  echo "$commit $architecture $(sha256sum <"$work/one-$architecture" | cut -d' ' -f1)"
done
[ -z "$keep" ]
