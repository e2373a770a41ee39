# Node runs the TypeScript as it is: only src/gen is made, and the tools that make it stay in this stage.
FROM node:24-slim AS dependencies
WORKDIR /app
# All that `npm ci` and its prepare script (buf and ts-proto) read. A change elsewhere in src does not repeat it.
COPY package.json package-lock.json buf.yaml buf.gen.yaml ./
COPY proto proto
RUN npm ci
# --ignore-scripts: prepare would run again, without its tools.
RUN npm prune --omit=dev --ignore-scripts

# The agent of a gateway, for clusters of others: `docker build --target gateway`. No more of Leasehold than it imports.
FROM node:24-slim AS gateway
ENV NODE_ENV=production
WORKDIR /app
COPY package.json ./
COPY --from=dependencies /app/node_modules node_modules
COPY src/shared/domain src/shared/domain
COPY src/shared/telemetry src/shared/telemetry
COPY src/shared/tunnel src/shared/tunnel
COPY src/shared/run-process.ts src/shared/parse-settings.ts src/shared/
COPY --from=dependencies /app/src/gen/leasehold/tunnel src/gen/leasehold/tunnel
COPY src/gateway src/gateway
USER 1000:1000
ENTRYPOINT ["node"]
CMD ["src/gateway/main.ts"]

# Server and worker. The last stage is what `docker build` makes.
FROM node:24-slim
ENV NODE_ENV=production
WORKDIR /app
# Everything belongs to root: the service cannot change its own code, and it writes no files.
COPY package.json ./
COPY --from=dependencies /app/node_modules node_modules
COPY src src
COPY --from=dependencies /app/src/gen src/gen
# The image's user `node`, by number: Kubernetes' runAsNonRoot does not trust names.
USER 1000:1000
EXPOSE 50051
# Node itself is the process that gets SIGTERM: no shell, no npm. For the worker: `docker run ... src/worker/main.ts`.
ENTRYPOINT ["node"]
CMD ["src/server/main.ts"]
