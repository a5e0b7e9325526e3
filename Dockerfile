# syntax=docker/dockerfile:1

# The gateway, `mcp-lifeline serve`, in an image: docs/tasks/in-a-container.md says how to run it, and how to add what your servers need.

# What is built here is the same for all processors, so it is built on that of this machine.
FROM --platform=$BUILDPLATFORM node:24-bookworm-slim AS build
ENV CI=true
WORKDIR /src
COPY pnpm-lock.yaml pnpm-workspace.yaml ./
RUN npx --yes pnpm@10.34.8 fetch
COPY . .
RUN npx --yes pnpm@10.34.8 install --offline --frozen-lockfile --filter . --filter mcp-lifeline...
RUN node_modules/.bin/tsc -b packages/gateway
# What is published, and the packages that it needs, as the lockfile has them.
RUN npx --yes pnpm@10.34.8 --filter mcp-lifeline pack --pack-destination /packed
RUN mkdir -p /app/node_modules/mcp-lifeline && tar -xzf /packed/*.tgz --strip-components=1 -C /app/node_modules/mcp-lifeline
RUN cd packages/gateway/node_modules && cp -RL --parents $(node -p 'Object.keys(require("../package.json").dependencies).join(" ")') /app/node_modules/

FROM node:24-bookworm-slim
LABEL org.opencontainers.image.title="mcp-lifeline" \
      org.opencontainers.image.source="https://github.com/mcp-lifeline/lifeline" \
      org.opencontainers.image.licenses="MIT"
# Process 1 has to wait for processes that servers leave behind, which Node.js does not do.
RUN apt-get update && apt-get install -y --no-install-recommends tini && rm -rf /var/lib/apt/lists/*
COPY --from=build /app /app
RUN ln -s /app/node_modules/mcp-lifeline/esm/bin.js /usr/local/bin/mcp-lifeline && install -d -o 10001 -g 10001 -m 0700 /state
ENV NODE_ENV=production \
    HOME=/state \
    MCP_LIFELINE_STATE=/state/lifeline
WORKDIR /state
USER 10001:10001
VOLUME ["/state"]
EXPOSE 7332
HEALTHCHECK --interval=30s --timeout=5s --start-period=30s \
  CMD ["node", "-e", "fetch('http://127.0.0.1:7332/health').then((answer) => process.exit(answer.ok ? 0 : 1), () => process.exit(1))"]
ENTRYPOINT ["tini", "--", "mcp-lifeline"]
CMD ["serve", "--config", "/config/mcp.json", "--host", "0.0.0.0", "--log-format", "json"]
