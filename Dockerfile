# Both programs, each an image of its own that has nothing else in it:
#
#	docker build --target lethe-node -t lethe-node .
#	docker build --target lethe-publisher -t lethe-publisher .
#
# .git is part of the build: from it the Go toolchain stamps the version that `lethe-node version` prints.
FROM --platform=$BUILDPLATFORM golang:1.26 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN --mount=type=cache,target=/go/pkg/mod go mod download
COPY . .
ARG TARGETOS TARGETARCH
ENV CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH
RUN --mount=type=cache,target=/go/pkg/mod --mount=type=cache,target=/root/.cache/go-build \
	go build -trimpath -ldflags='-s -w' -o /out/lethe-node ./cmd/node
RUN --mount=type=cache,target=/go/pkg/mod --mount=type=cache,target=/root/.cache/go-build \
	go build -trimpath -ldflags='-s -w' -o /out/lethe-publisher ./cmd/publisher
RUN mkdir -p -m 0700 /out/data && echo 'lethe:x:65532:65532:lethe:/data:/sbin/nologin' > /out/passwd

FROM scratch AS base
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build /out/passwd /etc/passwd
USER 65532:65532

FROM base AS lethe-publisher
COPY --from=build /out/lethe-publisher /lethe-publisher
ENTRYPOINT ["/lethe-publisher"]

FROM base AS lethe-node
# A named volume mounted here belongs to the user from the start: --state-dir /data.
COPY --from=build --chown=65532:65532 /out/data /data
COPY --from=build /out/lethe-node /lethe-node
EXPOSE 8080
HEALTHCHECK --interval=5s --timeout=5s --start-period=60s CMD ["/lethe-node", "healthcheck"]
ENTRYPOINT ["/lethe-node"]
