# The gateway. From the root of the repository:
#   docker build -f docker/gateway.Dockerfile -t thermal-landmarks/gateway:0.1.0 .
#   ... --target baked          with model_repository/ inside, for clusters without a shared volume
#   ... --build-arg EXTRA=gpu   ONNX Runtime on CUDA (THERMAL_DEVICE=cuda); not needed with Triton
# Pinned by tag; to pin by digest too, append the `@sha256:...` that `docker buildx imagetools
# inspect` prints for it.
ARG PYTHON=python:3.11.13-slim-bookworm

FROM ${PYTHON} AS build
ARG EXTRA=cpu
WORKDIR /build
# Without pip of its own; every requirement is a wheel, so no compiler is needed here either.
RUN python -m venv --without-pip /opt/venv
COPY pyproject.toml README.md LICENSE ./
COPY service service
# CUDA's libraries come as wheels, by extras of ONNX Runtime.
RUN --mount=type=cache,target=/root/.cache/pip \
    runtime=$(sed -nE 's/^gpu = \["onnxruntime-gpu(==[0-9.]+)"\].*/onnxruntime-gpu[cuda,cudnn]\1/p' pyproject.toml) \
 && test -n "$runtime" \
 && pip --python /opt/venv/bin/python install --only-binary :all: \
      ".[${EXTRA}]" $(test "$EXTRA" != gpu || echo "$runtime")

FROM ${PYTHON} AS runtime
LABEL org.opencontainers.image.title="thermal-landmarks gateway" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /opt/venv /opt/venv
COPY docker/healthcheck.py /opt/healthcheck.py
# A container's ports are reached from outside: hence every address. Nothing is written but to /tmp.
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    LD_LIBRARY_PATH=/opt/venv/lib/python3.11/site-packages/nvidia/cu13/lib:/opt/venv/lib/python3.11/site-packages/nvidia/cudnn/lib \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility \
    THERMAL_HOST=0.0.0.0 \
    THERMAL_MODEL_REPOSITORY=/models
WORKDIR /tmp
# A number: Kubernetes' runAsNonRoot cannot look up names.
USER 10001:10001
EXPOSE 8080 8081
# Alive, not ready: a gateway that waits for its engine must not be restarted.
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
  CMD ["python", "/opt/healthcheck.py"]
ENTRYPOINT ["python", "-m", "service"]

FROM runtime AS baked
COPY model_repository /models

# The default: the models are mounted at /models, read-only.
FROM runtime AS mounted
