# syntax=docker/dockerfile:1

# One static binary in an empty image. The builder runs on the platform of the
# machine that builds and compiles for that of the image (TARGETARCH), so that
#   docker buildx build --platform linux/amd64,linux/arm64 .
# needs no emulation.

ARG BUILDER_IMAGE=docker.io/library/rust:1.95-slim-bookworm
ARG RUNTIME_IMAGE=scratch

# Where there is no registry to get a builder from, scripts/build-image.sh puts a
# folder with the same /out in the place of this stage.
FROM --platform=${BUILDPLATFORM:-linux/amd64} ${BUILDER_IMAGE} AS binary
ARG TARGETARCH
WORKDIR /build

# clang compiles the C parts (mimalloc, ring) for either platform, against the
# headers of that platform's musl; musl itself comes with Rust. The version of
# a compiler from the distribution is the distribution's business.
# hadolint ignore=DL3008
RUN dpkg --add-architecture "${TARGETARCH}" \
    && apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates clang "musl-dev:${TARGETARCH}" \
    && rm -rf /var/lib/apt/lists/*

COPY . .
# What the binary says of itself in build_info: the source revision.
ARG PSG_REVISION=unknown
RUN --mount=type=cache,id=cargo-registry,target=/usr/local/cargo/registry \
    --mount=type=cache,id=cargo-target-${TARGETARCH},target=/build/target \
    scripts/build-static.sh "${TARGETARCH}" /out/prom-stream-gateway \
    && scripts/licences.sh /out/licences.txt
# And a folder for a state file, as an empty volume that is mounted there takes
# it over: with its owner.
RUN scripts/ca-bundle.sh /out/ca-certificates.crt \
    && mkdir -p /out/folders/var/lib/prom-stream-gateway

FROM ${RUNTIME_IMAGE}
ARG PSG_REVISION=unknown
LABEL org.opencontainers.image.title="prom-stream-gateway" \
      org.opencontainers.image.description="Pops metric samples from a Redis list, aggregates them and exposes them to Prometheus" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.revision="${PSG_REVISION}"
# For TLS to Redis.
COPY --from=binary /out/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
# What the licences of its parts ask for.
COPY --from=binary /out/licences.txt /licences.txt
COPY --from=binary /out/prom-stream-gateway /prom-stream-gateway
COPY --from=binary --chown=65532:65532 /out/folders/ /
# Where appsettings.json is looked for; empty unless one is mounted.
WORKDIR /app
# By number, since an empty image has no names; nobody's, without rights.
USER 65532:65532
# The port of the image is set as ASP.NET's base image does, so that a user's
# own ASPNETCORE_URLS, ASPNETCORE_HTTP_PORTS or Http__ListenAddress still wins.
ENV ASPNETCORE_HTTP_PORTS=8080
EXPOSE 8080
# Stopped by SIGTERM, the default: what was taken is still applied.
HEALTHCHECK --interval=10s --timeout=5s --start-period=5s --retries=3 \
    CMD ["/prom-stream-gateway", "healthcheck"]
ENTRYPOINT ["/prom-stream-gateway"]
