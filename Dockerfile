# Small, non-root, nothing but Node and what runs. test/docker.test.ts runs these lines in a temporary copy.
#
#   docker build --tag limpet .
#   docker run --interactive --volume ./configs/rules:/etc/limpet:ro limpet aggregate --rules /etc/limpet --sink http://prometheus:9090/api/v1/write
ARG NODE=24
FROM node:${NODE}-bookworm-slim AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci
COPY tsconfig.json tsconfig.base.json ./
COPY src src
COPY plugins plugins
COPY scripts scripts
RUN npx tsc -b plugins && node scripts/linkKernel.mjs && find dist -name '*.tsbuildinfo' -delete
RUN npm prune --omit=dev

FROM node:${NODE}-bookworm-slim
WORKDIR /app
ENV NODE_ENV=production NODE_NO_WARNINGS=1 HEALTHCHECK_URL=http://127.0.0.1:4581/healthz
COPY --from=build /app/node_modules node_modules
COPY --from=build /app/dist dist
COPY package.json LICENSE ./
COPY configs configs
USER node
EXPOSE 4581
STOPSIGNAL SIGTERM
# With another port or TLS (its certificate is not asked for here) set HEALTHCHECK_URL to that address; empty: no check.
HEALTHCHECK --interval=10s --timeout=3s --start-period=5s CMD ["node", "-e", "const url = process.env.HEALTHCHECK_URL; if (url) require(url.startsWith('https:') ? 'https' : 'http').get(url, {rejectUnauthorized: false}, (r) => process.exit(r.statusCode === 200 ? 0 : 1)).on('error', () => process.exit(1))"]
ENTRYPOINT ["node", "dist/bin/limpet.js"]
CMD ["--help"]
