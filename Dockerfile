# One image for the hub and its tools; `--target demo` adds what the demo needs on top.
FROM node:22-bookworm-slim AS browser
WORKDIR /srv/heng
COPY package.json package-lock.json ./
RUN npm ci --omit=dev --no-audit --no-fund

FROM python:3.12-slim-bookworm AS hub
WORKDIR /srv/heng
ENV PATH=/srv/heng/.venv/bin:$PATH PYTHONDONTWRITEBYTECODE=1
COPY requirements/cloud.txt requirements/
RUN python -m venv .venv && pip install --no-cache-dir --require-hashes -r requirements/cloud.txt
COPY . .
RUN pip install --no-cache-dir --no-build-isolation --no-deps -e .
COPY --from=browser /srv/heng/node_modules node_modules
# The same number as the user of the broker's image, which reads keys that this one wrote.
RUN useradd --system --uid 1883 --home-dir /srv/heng heng && install -d -o heng /var/lib/heng /var/lib/heng-media
USER heng
CMD ["heng", "hub"]

FROM hub AS demo
USER root
RUN printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d && chmod 755 /usr/sbin/policy-rc.d \
    && apt-get update \
    && apt-get install -y --no-install-recommends mosquitto gpsd nut-server nut-client ffmpeg \
    && rm -rf /var/lib/apt/lists/*
RUN pip install --no-cache-dir --require-hashes -r requirements/sim.txt
CMD ["heng", "demo"]
