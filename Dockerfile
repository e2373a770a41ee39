# Node runs the TypeScript as it is: only src/gen is made, and the tools that make it stay in this stage.
FROM node:24-slim AS dependencies
WORKDIR /app
# All that `npm ci` and its prepare script (buf and ts-proto) read. A change elsewhere in src does not repeat it.
COPY package.json package-lock.json buf.yaml buf.gen.yaml ./
COPY proto proto
RUN npm ci
# --ignore-scripts: prepare would run again, without its tools.
RUN npm prune --omit=dev --ignore-scripts

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
