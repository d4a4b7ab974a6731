# The application with its locked dependencies; runs read-only, without network, as any user.
# scripts/image, or: DOCKER_BUILDKIT=1 docker build -t clbpe:0.1.0 .
# BASE may be given by digest: --build-arg BASE=python@sha256:... --build-arg BASE_DIGEST=sha256:...
ARG BASE=python:3.11-slim-bookworm

FROM ${BASE} AS builder
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
RUN python -m venv /opt/clbpe
COPY requirements.txt /src/
# the secrets are an index of the builder's own and its certificate; both may be absent
RUN --mount=type=secret,id=pipconf,target=/etc/pip.conf --mount=type=secret,id=cabundle,target=/run/secrets/ca.crt \
    /opt/clbpe/bin/pip install --requirement /src/requirements.txt
COPY setup.cfg setup.py pyproject.toml README.md LICENSE /src/
COPY clbpe /src/clbpe
COPY bids_app /src/bids_app
COPY pipelines /src/pipelines
# the history is not here: scripts/image tells the number
ARG VERSION=0.1.0
RUN --mount=type=secret,id=pipconf,target=/etc/pip.conf --mount=type=secret,id=cabundle,target=/run/secrets/ca.crt \
    SETUPTOOLS_SCM_PRETEND_VERSION_FOR_CLBPE=$VERSION /opt/clbpe/bin/pip install --no-deps /src \
    # isolated: no PYTHONPATH and no folder of the caller leaks in, as Apptainer would let them
    && sed -i '1s|$| -I|' /opt/clbpe/bin/clbpe /opt/clbpe/bin/clbpe-simulate /opt/clbpe/bin/clbpe-plan \
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

FROM builder AS components
# what the image holds, as a list for programs that look for weaknesses (CycloneDX); what writes it stays here
COPY requirements-dev.txt /src/
COPY scripts/sbom /src/scripts/sbom
RUN --mount=type=secret,id=pipconf,target=/etc/pip.conf --mount=type=secret,id=cabundle,target=/run/secrets/ca.crt \
    python -m venv /opt/lister \
    # what a file of constraints includes by -r would be installed
    && grep -v '^-r' /src/requirements-dev.txt >/src/tools.txt \
    && /opt/lister/bin/pip install --constraint /src/requirements.txt --constraint /src/tools.txt cyclonedx-bom \
    && /opt/lister/bin/python /src/scripts/sbom /src/sbom.cdx.json --python /opt/clbpe/bin/python

FROM ${BASE}
ARG BASE
ARG BASE_DIGEST=
ARG IMAGE=clbpe
ARG VERSION=0.1.0
# the number as the tag of an image, which knows no plus sign
ARG TAG=0.1.0
ARG REVISION=unknown
ARG CREATED=
ARG URL=
# the code is Apache-2.0; NOTICE tells the terms of the atlas and the templates in it
LABEL org.opencontainers.image.title="clbpe" \
      org.opencontainers.image.description="BIDS App: NAc-mPFC connectivity, intrinsic connectivity, tract FA, trial statistics" \
      org.opencontainers.image.licenses="Apache-2.0 AND BSD-3-Clause AND LicenseRef-FSL AND LicenseRef-MNI-ICBM152 AND CC-BY-4.0" \
      clbpe.terms.default="LicenseRef-FSL (no commercial use): regions of Harvard-Oxford, MNI152NLin6Asym" \
      clbpe.terms.free="LicenseRef-MNI-ICBM152, CC-BY-4.0: --nac cit168 --mpfc sphere:X,Y,Z,R --output-space MNI152NLin2009cAsym" \
      org.opencontainers.image.source="${URL}" \
      org.opencontainers.image.url="${URL}" \
      org.opencontainers.image.documentation="${URL}" \
      org.opencontainers.image.created="${CREATED}" \
      org.opencontainers.image.base.name="${BASE}" \
      org.opencontainers.image.base.digest="${BASE_DIGEST}" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
COPY --from=templates /opt/templateflow /opt/templateflow
COPY --from=builder /opt/clbpe /opt/clbpe
COPY --from=components /src/sbom.cdx.json /opt/clbpe/share/
COPY LICENSE NOTICE boutiques.json /opt/clbpe/share/
COPY boutiques /opt/clbpe/share/boutiques
# a login shell resets PATH but keeps /usr/local/bin
RUN useradd --create-home --shell /bin/sh clbpe \
    && ln -s /opt/clbpe/bin/clbpe /opt/clbpe/bin/clbpe-simulate /opt/clbpe/bin/clbpe-plan /usr/local/bin/
# caches lie in /tmp under the number of the user: the program sees to that (bids_app/running/home.py)
ENV PATH=/opt/clbpe/bin:/usr/local/bin:/usr/bin:/bin \
    LANG=C.UTF-8 \
    CLBPE_DOCKER_TAG=${IMAGE}:${TAG} \
    MPLBACKEND=Agg \
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
