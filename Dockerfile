# Two stages: one with compilers builds, the other holds only what runs.
#   docker build -t bursar .
#   docker build -t bursar --build-arg DEBIAN=13 .
ARG DEBIAN=12

FROM debian:${DEBIAN}-slim AS build
COPY scripts/install-deps /source/scripts/install-deps
RUN /source/scripts/install-deps build
COPY . /source
RUN cmake -S /source -B /build -G Ninja -DCMAKE_BUILD_TYPE=RelWithDebInfo -DCMAKE_INSTALL_PREFIX=/usr -DBURSAR_TESTS=OFF \
    && cmake --build /build \
    && DESTDIR=/image cmake --install /build --strip
# The packages that hold the libraries the program was linked with: their names differ from one Debian to the next.
RUN set -e; ldd /image/usr/bin/bursar | sed -n 's/.*=> \(\/[^ ]*\) .*/\1/p' > /libraries; \
    while read -r library; do \
        dpkg-query -S "$library" 2>/dev/null || dpkg-query -S "/usr$library" 2>/dev/null || dpkg-query -S "${library#/usr}"; \
    done < /libraries > /owners; \
    sed 's/:.*//' /owners | sort -u > /image/packages; \
    cat /image/packages; grep -q librabbitmq /image/packages

FROM debian:${DEBIAN}-slim
COPY --from=build /image/packages /tmp/packages
RUN apt-get update -qq \
    && DEBIAN_FRONTEND=noninteractive xargs apt-get install -y -qq --no-install-recommends ca-certificates < /tmp/packages \
    && rm -rf /var/lib/apt/lists/* /tmp/packages \
    && groupadd --system --gid 9464 bursar \
    && useradd --system --uid 9464 --gid bursar --home-dir /var/lib/bursar --no-create-home --shell /usr/sbin/nologin bursar \
    && install -d -o bursar -g bursar -m 0750 /var/lib/bursar
COPY --from=build /image/usr/bin/bursar /usr/bin/bursar
COPY etc/bursar.conf /etc/bursar/bursar.conf
# Loopback would be the container's own: what scrapes and probes comes from outside of it.
RUN sed -i 's/127\.0\.0\.1:9464/0.0.0.0:9464/' /etc/bursar/bursar.conf && grep -q '"0\.0\.0\.0:9464"' /etc/bursar/bursar.conf
USER bursar
WORKDIR /var/lib/bursar
VOLUME /var/lib/bursar
EXPOSE 9464
STOPSIGNAL SIGTERM
# A request by bash itself, for the image holds no HTTP client.
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
    CMD ["bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/9464 && printf 'GET /livez HTTP/1.0\\r\\nHost: bursar\\r\\n\\r\\n' >&3 && read -r line <&3 && [[ $line == *' 200 '* ]]"]
# The worker, unless another subcommand is named: docker run … bursar check
ENTRYPOINT ["bursar"]
CMD ["run"]
