# PostgreSQL as CloudNativePG wants it: user postgres with id 26, the server's programs in PATH, no cluster made yet.
FROM debian:bookworm-slim
RUN mkdir -p /etc/postgresql-common \
    && echo "create_main_cluster = false" > /etc/postgresql-common/createcluster.conf \
    && groupadd --system postgres \
    && useradd --system --uid 26 --gid postgres --home-dir /var/lib/postgresql --shell /bin/bash postgres \
    && apt-get update -q \
    && DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends postgresql-15 \
    && apt-get clean && rm -rf /var/lib/apt/lists/*
ENV PATH=/usr/lib/postgresql/15/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
USER 26
