# Third-party images from Debian's packages, a target for each. They have the users, folders, environment variables and commands of the
# official images on which deploy/compose.yaml relies, and nothing else.

FROM debian:bookworm-slim AS postgres
RUN groupadd --system --gid 999 postgres && useradd --system --uid 999 --gid postgres --home-dir /var/lib/postgresql postgres \
    && apt-get update && apt-get install --yes --no-install-recommends postgresql-15 && rm -rf /var/lib/apt/lists/* \
    && rm -rf /var/lib/postgresql/15 /etc/postgresql/15 \
    && mkdir -p /var/lib/postgresql/data /docker-entrypoint-initdb.d \
    && chown postgres:postgres /var/lib/postgresql/data && chmod 1777 /var/lib/postgresql/data \
    && sed -i "s/^#listen_addresses = .*/listen_addresses = '*'/" /usr/share/postgresql/15/postgresql.conf.sample \
    && echo "host all all all scram-sha-256" >>/usr/share/postgresql/15/pg_hba.conf.sample
ENV PATH=$PATH:/usr/lib/postgresql/15/bin PGDATA=/var/lib/postgresql/data
COPY postgres-entrypoint /usr/local/bin/docker-entrypoint.sh
VOLUME /var/lib/postgresql/data
STOPSIGNAL SIGINT
ENTRYPOINT ["docker-entrypoint.sh"]
CMD ["postgres"]

FROM debian:bookworm-slim AS redis
RUN groupadd --system --gid 999 redis && useradd --system --uid 999 --gid redis redis \
    && apt-get update && apt-get install --yes --no-install-recommends redis-server && rm -rf /var/lib/apt/lists/* \
    && mkdir -p /data && chown redis:redis /data
VOLUME /data
WORKDIR /data
CMD ["redis-server"]

FROM debian:trixie-slim AS nginx
RUN groupadd --system --gid 101 nginx && useradd --system --uid 101 --gid nginx nginx \
    && apt-get update && apt-get install --yes --no-install-recommends nginx-light curl && rm -rf /var/lib/apt/lists/*
STOPSIGNAL SIGQUIT
CMD ["nginx", "-g", "daemon off;"]

FROM debian:trixie-slim AS prometheus
RUN apt-get update && apt-get install --yes --no-install-recommends prometheus && rm -rf /var/lib/apt/lists/* \
    && rm -rf /prometheus && mkdir /prometheus && chown 65534:65534 /prometheus
USER 65534
VOLUME /prometheus
WORKDIR /prometheus
ENTRYPOINT ["prometheus"]

FROM debian:trixie-slim AS alertmanager
RUN apt-get update && apt-get install --yes --no-install-recommends prometheus-alertmanager && rm -rf /var/lib/apt/lists/* \
    && ln -s /usr/bin/prometheus-alertmanager /bin/alertmanager && mkdir /alertmanager && chown 65534:65534 /alertmanager
USER 65534
VOLUME /alertmanager
WORKDIR /alertmanager
ENTRYPOINT ["alertmanager"]

FROM debian:trixie-slim AS node-exporter
RUN apt-get update && apt-get install --yes --no-install-recommends prometheus-node-exporter && rm -rf /var/lib/apt/lists/*
USER 65534
ENTRYPOINT ["prometheus-node-exporter"]

FROM debian:trixie-slim AS postgres-exporter
RUN apt-get update && apt-get install --yes --no-install-recommends prometheus-postgres-exporter && rm -rf /var/lib/apt/lists/*
USER 65534
ENTRYPOINT ["prometheus-postgres-exporter"]

FROM debian:trixie-slim AS redis_exporter
RUN apt-get update && apt-get install --yes --no-install-recommends prometheus-redis-exporter && rm -rf /var/lib/apt/lists/*
USER 59000
ENTRYPOINT ["prometheus-redis-exporter"]

FROM debian:trixie-slim AS blackbox-exporter
RUN apt-get update && apt-get install --yes --no-install-recommends prometheus-blackbox-exporter && rm -rf /var/lib/apt/lists/*
USER 65534
ENTRYPOINT ["prometheus-blackbox-exporter"]
