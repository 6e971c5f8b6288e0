#!/usr/bin/env bash
# Builds the static binary for an architecture of container images, amd64 or
# arm64, on a machine of either, and puts it where the second argument says.
# Wants clang and, in /usr/include or $MUSL_INCLUDE, the musl headers of that
# architecture (Debian: musl-dev:ARCHITECTURE). The revision that build_info tells
# is PSG_REVISION, or else that of the clone.
#
# The same sources, revision, Rust and clang give the same bytes, wherever the
# sources lie: no path of this machine is in the binary.
# scripts/check-reproducible.sh proves it.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

architecture=${1:?expected amd64 or arm64} output=${2:?expected where to put the binary}
case $architecture in
  amd64) machine=x86_64 ;;
  arm64) machine=aarch64 ;;
  *)
    echo "expected amd64 or arm64, came $architecture" >&2
    exit 2
    ;;
esac

target=$machine-unknown-linux-musl
headers=${MUSL_INCLUDE:-/usr/include}/$machine-linux-musl
[ -e "$headers/stdio.h" ] || { echo "expected musl's headers in $headers" >&2; exit 1; }
if command -v rustup >/dev/null; then rustup target add "$target"; fi
PSG_REVISION=${PSG_REVISION:-$(scripts/revision.sh)}
export PSG_REVISION

# Cargo and the cc crate want the target in the names of their variables.
lower=${target//-/_} upper=$(tr '[:lower:]-' '[:upper:]_' <<<"$target")
registry=${CARGO_HOME:-$HOME/.cargo} compiler=$(rustc --print sysroot)
# Where the sources of the standard library are installed, rustc names them there.
library=/rustc/$(rustc --version --verbose | sed -n 's/^commit-hash: //p')
folder=$(realpath --canonicalize-missing "${CARGO_TARGET_DIR:-target}")
# mimalloc says when it was compiled, and clang asks SOURCE_DATE_EPOCH only from 16 on.
undated='-Wno-builtin-macro-redefined -D__DATE__="undated" -D__TIME__="undated"'
export "CC_$lower=clang" "CARGO_TARGET_${upper}_LINKER=rust-lld"
export "CFLAGS_$lower=--target=$machine-linux-musl -nostdlibinc -isystem $headers $undated -ffile-prefix-map=$PWD=/build -ffile-prefix-map=$folder=/build/target -ffile-prefix-map=$registry=/cargo"
export "CARGO_TARGET_${upper}_RUSTFLAGS=--remap-path-prefix=$PWD=/build --remap-path-prefix=$folder=/build/target --remap-path-prefix=$registry=/cargo --remap-path-prefix=$compiler=/rust --remap-path-prefix=$compiler/lib/rustlib/src/rust=$library"

# Of the debug information, what names functions in a backtrace is enough here.
cargo build --config 'profile.release.strip="debuginfo"' --release --locked \
  --package prom-stream-gateway --target "$target"
install -D "$folder/$target/release/prom-stream-gateway" "$output"
