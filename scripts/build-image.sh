#!/usr/bin/env bash
# Builds the image with buildah, which needs no daemon and, with the isolation
# of a chroot, no rights beyond those to build. Base images are arguments:
#   scripts/build-image.sh [--arch amd64|arm64] [--runtime IMAGE]
#     [--builder IMAGE | --binary FILE] TAG
# Without --builder nothing is fetched: an empty image (--runtime scratch, the
# default) takes the binary that is given, or that scripts/build-static.sh makes on
# this machine.
set -euo pipefail
umask 022
cd "$(dirname "${BASH_SOURCE[0]}")/.."

architecture=$(dpkg --print-architecture) runtime=scratch builder='' binary='' tag=''
while [ $# -gt 0 ]; do
  case $1 in
    --arch) architecture=${2:?expected amd64 or arm64} && shift 2 ;;
    --runtime) runtime=${2:?expected an image} && shift 2 ;;
    --builder) builder=${2:?expected an image} && shift 2 ;;
    --binary) binary=${2:?expected a file} && shift 2 ;;
    -*) echo "expected --arch, --runtime, --builder or --binary, came $1" >&2 && exit 2 ;;
    *) tag=$1 && shift ;;
  esac
done
[ -n "$tag" ] || { echo "expected a tag for the image, came none" >&2; exit 2; }
command -v buildah >/dev/null || { echo "expected buildah: apt-get install buildah" >&2; exit 1; }

revision=${PSG_REVISION:-$(scripts/revision.sh)}
# The same sources give the same layers.
epoch=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || echo 0)}
options=(--isolation chroot --format docker --timestamp "$epoch" --file Dockerfile --tag "$tag"
  --arch "$architecture" --build-arg "TARGETARCH=$architecture"
  --build-arg "PSG_REVISION=$revision" --build-arg "RUNTIME_IMAGE=$runtime")

if [ -n "$builder" ]; then
  exec buildah bud "${options[@]}" --build-arg "BUILDER_IMAGE=$builder" .
fi
context=$(mktemp -d)
trap 'rm -r "$context"' EXIT
if [ -n "$binary" ]; then
  install -D "$binary" "$context/out/prom-stream-gateway"
else
  PSG_REVISION=$revision scripts/build-static.sh "$architecture" "$context/out/prom-stream-gateway"
fi
scripts/ca-bundle.sh "$context/out/ca-certificates.crt"
scripts/licences.sh "$context/out/licences.txt"
mkdir -p "$context/out/folders/var/lib/prom-stream-gateway"
buildah bud "${options[@]}" --build-context "binary=$context" "$context"
