FROM node:24.21.0-bookworm-slim
ENV NODE_ENV=production
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
# Node comes with the image, and nothing embedded runs in a container: optional packages stay out.
RUN npm ci --omit=dev --omit=optional && npm cache clean --force
COPY migrations ./migrations
COPY programs-client ./programs-client
COPY listener ./listener
COPY src ./src
RUN mkdir -p /data && chown node:node /data
USER node
CMD ["node", "src/main/api.ts"]
