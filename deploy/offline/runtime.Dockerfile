# gcr.io/distroless/cc-debian12 from Debian's packages.
FROM debian:bookworm-slim AS packages
WORKDIR /packages
# The certificate authorities are those of the base image.
RUN apt-get update \
    && apt-get download base-files netbase tzdata libc6 libssl3 libgcc-s1 gcc-12-base libgomp1 libstdc++6 \
    && mkdir /root-of-image \
    && for package in *.deb; do dpkg-deb --extract "$package" /root-of-image; done \
    && rm -rf /root-of-image/usr/share/doc /root-of-image/usr/share/man \
    && mkdir -p /root-of-image/etc/ssl/certs /root-of-image/root \
    && cp /etc/ssl/certs/ca-certificates.crt /root-of-image/etc/ssl/certs/ \
    && printf '%s\n' root:x:0:0:root:/root:/sbin/nologin nobody:x:65534:65534:nobody:/nonexistent:/sbin/nologin >/root-of-image/etc/passwd \
    && printf '%s\n' root:x:0: nobody:x:65534: >/root-of-image/etc/group \
    && chmod 1777 /root-of-image/tmp

FROM scratch
COPY --from=packages /root-of-image /
ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt
