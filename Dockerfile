# Node runs the TypeScript as it is: only src/gen is made, and the tools that make it stay in this stage.
FROM node:24-slim AS dependencies
WORKDIR /app
# All that `npm ci` and its prepare script (buf and ts-proto) read. A change elsewhere in src does not repeat it.
COPY package.json package-lock.json .npmrc buf.yaml buf.gen.yaml ./
COPY proto proto
COPY third_party third_party
RUN npm ci
# --ignore-scripts: prepare would run again, without its tools.
# Nor are the optional packages with Node needed, which the image has.
RUN npm prune --omit=dev --ignore-scripts && rm -r node_modules/node-linux-* node_modules/.bin

# Node and what it links to: no shell, no package manager. Where you build for production, name it by its digest.
FROM gcr.io/distroless/nodejs24-debian13 AS runtime
ENV NODE_ENV=production PATH=/nodejs/bin
WORKDIR /app
# By number: Kubernetes' runAsNonRoot does not trust names. Everything in the image belongs to root: the service cannot
# change its own code, and it writes no files.
USER 1000:1000
ENTRYPOINT ["node"]

# The agent of a gateway, for clusters of others: `docker build --target gateway`. No more of Leasehold than it imports.
FROM runtime AS gateway
COPY package.json ./
COPY --from=dependencies /app/node_modules node_modules
COPY src/shared/domain src/shared/domain
COPY src/shared/telemetry src/shared/telemetry
COPY src/shared/tunnel src/shared/tunnel
COPY src/shared/run-process.ts src/shared/parse-settings.ts src/shared/text-field.ts src/shared/any-case.ts src/shared/log-level.ts src/shared/proxy-environment.ts src/shared/
COPY --from=dependencies /app/src/gen/leasehold/tunnel src/gen/leasehold/tunnel
COPY src/gateway src/gateway
CMD ["src/gateway/main.ts"]

# Server and worker. The last stage is what `docker build` makes.
FROM runtime
# Half of these threads may resolve names: with Node's own four, two name servers that do not answer would take them all.
ENV UV_THREADPOOL_SIZE=32
COPY package.json ./
COPY --from=dependencies /app/node_modules node_modules
COPY src src
COPY --from=dependencies /app/src/gen src/gen
EXPOSE 50051
# Node itself is the process that gets SIGTERM. For the worker: `docker run ... src/worker/main.ts`.
CMD ["src/server/main.ts"]
