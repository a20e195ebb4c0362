# The image of auth-sidecar: the program, the libraries it links, the certificate authorities, and nothing else.
# No shell, no package manager; runs as 65532 on a read-only file system. Needs BuildKit, docker's default builder.
#
#   docker build -t auth-sidecar .
#   docker buildx build --platform linux/amd64,linux/arm64 -t registry.example.com/auth-sidecar --push .
#   docker run --rm -e AUTH_DEV=true -p 4000:4000 auth-sidecar      to try it out

FROM rust:1.95.0-bookworm AS build
SHELL ["/bin/bash", "-euo", "pipefail", "-c"]
WORKDIR /src
COPY . .
ARG TARGETARCH
# The caches stay out of the layer, so the program is copied out of them. Two platforms may be built at once.
RUN --mount=type=cache,id=auth-sidecar-registry,target=/usr/local/cargo/registry,sharing=locked \
    --mount=type=cache,id=auth-sidecar-target-${TARGETARCH},target=/src/target,sharing=locked \
    cargo build --release --locked --package auth-sidecar; \
    install -D target/release/auth-sidecar /image/usr/bin/auth-sidecar
# What it links (glibc and libgcc, as ldd names them on this platform), what checks the certificates of PostgreSQL and
# mail servers, and the files by which glibc finds names. SQLite wants a /tmp.
RUN ldd /image/usr/bin/auth-sidecar | grep -o '/[^ ]*' | xargs cp --parents --dereference --target-directory=/image; \
    install -D -m 644 /etc/ssl/certs/ca-certificates.crt /image/etc/ssl/certs/ca-certificates.crt; \
    echo 'hosts: files dns' >/image/etc/nsswitch.conf; \
    echo 'auth-sidecar:x:65532:65532::/data:/nonexistent' >/image/etc/passwd; \
    echo 'auth-sidecar:x:65532:' >/image/etc/group; \
    install -d -m 1777 /image/tmp; \
    install -d -m 700 /data

FROM scratch
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="auth-sidecar" \
      org.opencontainers.image.description="Better Auth's HTTP protocol as one program, for sites without a Node server" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.revision="$REVISION"
COPY --from=build /image /
# A new volume takes its owner from this folder.
COPY --from=build --chown=65532:65532 /data /data
# Dev mode has to be asked for: a container that lost its settings must not start with a secret of its own.
ENV AUTH_DEV=false \
    AUTH_DATA_DIR=/data \
    HOST=0.0.0.0 \
    PORT=4000
# By number: Kubernetes cannot tell from a name that it is not root.
USER 65532:65532
VOLUME /data
EXPOSE 4000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 CMD ["/usr/bin/auth-sidecar", "healthcheck"]
ENTRYPOINT ["/usr/bin/auth-sidecar"]
CMD ["serve"]
