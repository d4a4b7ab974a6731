# The application with its locked dependencies; runs read-only, without network, as any user.
# docker build -t clbpe:0.1.0 .        BASE may be given by digest: --build-arg BASE=python@sha256:...
ARG BASE=python:3.11-slim-bookworm

FROM ${BASE} AS builder
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
RUN python -m venv /opt/clbpe
COPY requirements.txt /src/
# the secrets are an index of the builder's own and its certificate; both may be absent
RUN --mount=type=secret,id=pipconf,target=/etc/pip.conf --mount=type=secret,id=cabundle,target=/run/secrets/ca.crt \
    /opt/clbpe/bin/pip install --requirement /src/requirements.txt
COPY setup.cfg pyproject.toml README.md LICENSE /src/
COPY bids_app /src/bids_app
COPY pipelines /src/pipelines
RUN --mount=type=secret,id=pipconf,target=/etc/pip.conf --mount=type=secret,id=cabundle,target=/run/secrets/ca.crt \
    /opt/clbpe/bin/pip install --no-deps /src \
    # isolated: no PYTHONPATH and no folder of the caller leaks in, as Apptainer would let them
    && sed -i '1s|$| -I|' /opt/clbpe/bin/clbpe /opt/clbpe/bin/clbpe-simulate \
    && /opt/clbpe/bin/pip uninstall --yes pip setuptools \
    # tests of the libraries are 200 MB
    && find /opt/clbpe/lib -type d -name tests -prune -exec rm -r {} + \
    && chmod -R a+rX /opt/clbpe

FROM builder AS templates
COPY scripts/templates /src/scripts/templates
# brains: 7 MB; all: also the transform between them, 205 MB; no: what comes with the packages
ARG TEMPLATES=brains
# without network the folder holds empty files, and the templates that come with the packages are used
RUN case "$TEMPLATES" in \
        brains) choice= ;; all) choice=--transform ;; no) choice=--offline ;; \
        *) echo "TEMPLATES is brains, all or no, not '$TEMPLATES'" >&2; exit 2 ;; \
    esac \
    && /opt/clbpe/bin/python /src/scripts/templates /opt/templateflow $choice \
    && chmod -R a+rX /opt/templateflow

FROM ${BASE}
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="clbpe" \
      org.opencontainers.image.description="BIDS App: NAc-mPFC connectivity, intrinsic connectivity, tract FA, trial statistics" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
COPY --from=templates /opt/templateflow /opt/templateflow
COPY --from=builder /opt/clbpe /opt/clbpe
# a login shell resets PATH but keeps /usr/local/bin
RUN useradd --create-home --shell /bin/sh clbpe \
    && ln -s /opt/clbpe/bin/clbpe /opt/clbpe/bin/clbpe-simulate /usr/local/bin/
# folders that programs write to are in /tmp: the home of an unknown user is often read-only
ENV PATH=/opt/clbpe/bin:/usr/local/bin:/usr/bin:/bin \
    LANG=C.UTF-8 \
    CLBPE_DOCKER_TAG=clbpe:${VERSION} \
    MPLBACKEND=Agg \
    MPLCONFIGDIR=/tmp/clbpe-matplotlib \
    XDG_CACHE_HOME=/tmp/clbpe-cache \
    NIPYPE_CONFIG_DIR=/tmp/clbpe-nipype \
    NO_ET=1 \
    PYTHONNOUSERSITE=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    OMP_NUM_THREADS=1 \
    MKL_NUM_THREADS=1 \
    OPENBLAS_NUM_THREADS=1 \
    TEMPLATEFLOW_HOME=/opt/templateflow \
    TEMPLATEFLOW_AUTOUPDATE=off
USER clbpe
WORKDIR /tmp
HEALTHCHECK --interval=5m --timeout=30s CMD ["clbpe", "--version"]
ENTRYPOINT ["clbpe"]
