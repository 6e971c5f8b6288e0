#!/usr/bin/env bash
# Writes the certificate authorities that the image trusts: Mozilla's, as Debian
# packages them. Not /etc/ssl/certs/ca-certificates.crt, which has those too that
# somebody has added to the machine that builds, a company's proxy say.
#   scripts/ca-bundle.sh OUTPUT
set -euo pipefail
export LC_ALL=C
output=${1:?expected where to put the bundle}
authorities=/usr/share/ca-certificates/mozilla
[ -d "$authorities" ] || { echo "expected $authorities: apt-get install ca-certificates" >&2; exit 1; }
# Each ends in a line break, whether its file does or not.
awk 1 "$authorities"/*.crt >"$output"
chmod 644 "$output"
