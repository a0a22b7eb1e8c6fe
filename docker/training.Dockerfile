# Training, evaluation and publication. From the root of the repository:
#   docker build -f docker/training.Dockerfile -t thermal-landmarks/training:0.1.0 .
#   docker run --rm --gpus all --ipc=host --user "$(id -u):$(id -g)" -v "$PWD/work:/work" \
#     thermal-landmarks/training:0.1.0 python -m training.train --help
# Pinned by tag; see gateway.Dockerfile for digests. CUDA's libraries come with torch's wheel; the
# host needs NVIDIA's driver and container toolkit, or no GPU at all.
FROM python:3.11.13-slim-bookworm
WORKDIR /opt/thermal
COPY pyproject.toml README.md LICENSE ./
COPY service service
COPY training training
# Editable: configurations and runs are read from the folder of the sources.
RUN --mount=type=cache,target=/root/.cache/pip \
    pip install --only-binary :all: -e '.[cpu,training]'
# Caches of compiled loops and fonts go where anybody may write. A number, for Kubernetes.
ENV PYTHONPATH=/opt/thermal PYTHONUNBUFFERED=1 HOME=/tmp \
    NUMBA_CACHE_DIR=/tmp/numba MPLCONFIGDIR=/tmp/matplotlib \
    NVIDIA_VISIBLE_DEVICES=all NVIDIA_DRIVER_CAPABILITIES=compute,utility
USER 10001:10001
WORKDIR /work
VOLUME /work
