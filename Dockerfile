# syntax=docker/dockerfile:1
# The base is named by its tag; whoever publishes the image pins the digest too, for instance
#   docker build --build-arg BASE=python:3.13-slim-bookworm@sha256:... -t rosterd .
ARG BASE=python:3.13-slim-bookworm

FROM ${BASE} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /build
# What rosterd runs on goes into an environment of its own; what builds it stays in this stage.
COPY requirements.txt requirements-build.txt ./
RUN python -m venv --without-pip /opt/rosterd \
    && python -m pip --python /opt/rosterd/bin/python install --require-hashes --only-binary :all: \
        --requirement requirements.txt \
    && python -m pip install --require-hashes --only-binary :all: --requirement requirements-build.txt
COPY pyproject.toml README.md LICENSE ./
COPY src src
RUN python -m pip wheel --no-index --no-deps --no-build-isolation --wheel-dir dist . \
    && python -m pip --python /opt/rosterd/bin/python install --no-index --no-deps dist/*.whl \
    && install --directory --mode 0700 --owner 10001 --group 10001 /state \
    && /opt/rosterd/bin/rosterd --version

# Nothing below runs a shell, neither while building nor later.
FROM ${BASE}
COPY --from=build /opt/rosterd /opt/rosterd
COPY --from=build --chown=10001:10001 /state /var/lib/rosterd
ENV PATH=/opt/rosterd/bin:/usr/local/bin:/usr/bin:/bin \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    ROSTERD_CONFIG=/etc/rosterd/rosterd.toml
USER 10001:10001
WORKDIR /var/lib/rosterd
VOLUME ["/var/lib/rosterd"]
HEALTHCHECK --interval=1m --timeout=20s --start-period=5m --retries=3 CMD ["rosterd", "status"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["rosterd"]
CMD ["run"]
