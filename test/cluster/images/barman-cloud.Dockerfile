# CloudNativePG's plugin for backups into S3, which is also the sidecar of the instances: the plugin, and the programs it runs.
FROM debian:bookworm-slim
RUN apt-get update -q \
    && DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends barman-cli-cloud python3-boto3 \
    && apt-get clean && rm -rf /var/lib/apt/lists/*
COPY barman-cloud /manager
USER 26:26
ENTRYPOINT ["/manager"]
