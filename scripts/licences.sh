#!/usr/bin/env bash
# Writes the licence texts of all that is in the shipped binary, each once, below
# the crates that it stands for: their licences ask that it goes with the binary.
#   scripts/licences.sh OUTPUT
# The crates have to be there: cargo fetch, or a build.
set -euo pipefail
export LC_ALL=C
output=$(realpath "${1:?expected where to put the texts}")
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# Both architectures, so that one text does for either binary.
targets=(x86_64-unknown-linux-musl aarch64-unknown-linux-musl)
registry=${CARGO_HOME:-$HOME/.cargo}/registry/src

crates() {
  local target
  for target in "${targets[@]}"; do
    cargo tree --locked --package prom-stream-gateway --target "$target" \
      --edges normal,no-proc-macro --prefix none --format '{p}|{l}'
  done | sed 's/ (\*)$//' | sort --unique
}

declare -A texts=() names=()
unnamed=''
while IFS='|' read -r package licence; do
  # Ours, by path.
  [[ $package != *' ('* ]] || continue
  crate=${package% v*}-${package##* v}
  folders=("$registry"/*/"$crate")
  [ -d "${folders[0]}" ] || { echo "expected $crate in $registry: cargo fetch" >&2; exit 1; }
  # Not COPYING: in zstd it is the other licence, which nobody here chooses.
  found=$(find "${folders[0]}" -type f -not -path '*/test*' \
    \( -iname 'licen[cs]e*' -o -iname 'notice*' -o -iname 'copyright*' \) \
    -not -iname '*.rs' -not -iname '*.html' | sort)
  if [ -z "$found" ]; then
    unnamed+="  $crate ($licence)"$'\n'
    continue
  fi
  while read -r file; do
    hash=$(sha256sum <"$file")
    texts[$hash]=$file
    # Of two texts that are the same in a crate, one mention.
    [[ ${names[$hash]:-} == *"  $crate "* ]] || names[$hash]+="  $crate ($licence)"$'\n'
  done <<<"$found"
done <<<"$(crates)"

{
  echo "prom-stream-gateway is made with the following; each licence stands below what is under it."
  while read -r hash; do
    printf '\n%s\n\n%s\n' "$(printf '=%.0s' {1..78})" "${names[$hash]}"
    awk 1 "${texts[$hash]}"
  done < <(for hash in "${!names[@]}"; do printf '%s\t%s\n' "${names[$hash]%%$'\n'*}" "$hash"; done | sort | cut -f2)
  printf '\n%s\n\n%s\n\n%s' "$(printf '=%.0s' {1..78})" \
    "What came without a text is under the licence named, as above:" "$unnamed"
  echo "  musl libc, Copyright (c) 2005-2020 Rich Felker, et al. (MIT)"
  echo "  the Rust standard library, Copyright (c) The Rust Project Contributors (MIT OR Apache-2.0)"
} >"$output"
