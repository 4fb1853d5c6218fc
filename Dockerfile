# The Python version is pinned in both stages, because a floating tag could change it at any time.
FROM python:3.12.11-slim-bookworm AS build
WORKDIR /opt/stemcord
ENV PATH=/opt/venv/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PIP_NO_CACHE_DIR=1

# run, or cluster, which adds what PostgreSQL, object stores and workers need.
ARG LOCK=run
COPY requirements/run.lock requirements/cluster.lock requirements/
RUN python -m venv /opt/venv \
 && pip install --disable-pip-version-check --require-hashes -r requirements/$LOCK.lock

# It has no wheel for ARM, where the lock leaves it out; built from the same pinned sources.
RUN python -c 'import python_stretch' 2>/dev/null || { \
    apt-get update && apt-get install -y --no-install-recommends g++ \
 && sed -n '/^python-stretch/,/# via/p' requirements/run.lock | sed '1s/ ;.*/ \\/' > /tmp/stretch.lock \
 && pip install --disable-pip-version-check --require-hashes --no-deps -r /tmp/stretch.lock; }

COPY bot/ bot/
COPY cogs/ cogs/
COPY storage/ storage/
# Outside the data volume, so that a new image uses its own model.
RUN STEMCORD_MODELS_DIR=/opt/stemcord/models STEMCORD_DATA_DIR=/tmp/stemcord python -m bot models \
 && python -m compileall -q bot cogs storage \
 && chmod -R a+rX,go-w /opt/stemcord /opt/venv


FROM python:3.12.11-slim-bookworm
WORKDIR /opt/stemcord
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    STEMCORD_DATA_DIR=/data \
    STEMCORD_MODELS_DIR=/opt/stemcord/models

RUN useradd --uid 10001 --user-group --home-dir /data --no-create-home --shell /usr/sbin/nologin stemcord \
 && install -d -o stemcord -g stemcord -m 0700 /data /shared

COPY --from=build /opt/venv /opt/venv
COPY --from=build /opt/stemcord /opt/stemcord
COPY LICENSE NOTICE ./

USER 10001:10001
VOLUME /data
STOPSIGNAL SIGTERM

# With an empty STEMCORD_OPS_ADDRESS there is no check, and a running container counts as healthy.
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s \
  CMD ["python", "-c", "import http.client, os, sys; at = os.environ.get('STEMCORD_OPS_ADDRESS', '127.0.0.1:9464'); ops = http.client.HTTPConnection(at or 'off', timeout=4); at and ops.request('GET', '/healthz'); sys.exit(bool(at) and ops.getresponse().status != 200)"]

ENTRYPOINT ["python", "-m", "bot"]
