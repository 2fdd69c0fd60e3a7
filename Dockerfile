FROM node:24-slim AS build
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci --ignore-scripts
COPY tsconfig.json tsconfig.build.json ./
COPY scripts/bundle.mjs ./scripts/
COPY scripts/bundle ./scripts/bundle
COPY src ./src
RUN npm run build
# What changes with each version goes into one layer of the image.
COPY public ./version/public
COPY views ./version/views
RUN mv dist package.json version/

FROM node:24-slim AS dependencies
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci --omit=dev --ignore-scripts

FROM node:24-slim
ENV NODE_ENV=production HOST=0.0.0.0 PORT=3000
WORKDIR /app
COPY --from=dependencies /app/node_modules ./node_modules
COPY --from=build /app/version ./
# feature: incidents
COPY deploy/docker/latchkey /usr/local/bin/latchkey
# end: incidents
USER node
EXPOSE 3000
# Not /readyz: a restart of the app would not bring Redis back.
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.PORT}/livez`).then((answer) => process.exit(answer.ok ? 0 : 1), () => process.exit(1))"]
CMD ["node", "dist/server.js"]
