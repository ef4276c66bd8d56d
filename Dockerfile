# One image for web and worker (docker-compose.yml); runs as nobody in particular, keeps everything below /data.
FROM python:3.12-slim

# `--build-arg EXTRAS=s3` leaves torch out: such a worker predicts, but cannot train.
ARG EXTRAS=s3,train
RUN useradd --uid 10001 --create-home loom && mkdir /data && chown loom /data
WORKDIR /app
COPY pyproject.toml requirements.lock ./
COPY backend backend
COPY connectors connectors
COPY label_config label_config
RUN pip install --no-cache-dir "$(grep '^uv==' requirements.lock)" \
 && uv pip install --system --no-cache --compile-bytecode --constraint requirements.lock ".[${EXTRAS}]"

USER loom
ENV LABELLOOM_DATA_DIR=/data LABELLOOM_CACHE_DIR=/data/cache
VOLUME /data
EXPOSE 9090
CMD ["labelloom", "web", "--host", "0.0.0.0"]
