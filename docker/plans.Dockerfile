# Builds TensorRT plans for the GPU of this machine. From the root of the repository:
#   docker build -f docker/plans.Dockerfile -t thermal-landmarks/plans:0.1.0 .
# NVIDIA's image of the same month as Triton's (triton.Dockerfile): the same TensorRT (11.2.1), or
# Triton could not read the plans. Move both tags together. Never built or run by the project's
# tests: they have no GPU.
FROM nvcr.io/nvidia/tensorrt:26.08-py3
WORKDIR /opt/thermal
COPY pyproject.toml README.md LICENSE ./
COPY service service
COPY training training
# In an environment of its own, which sees the image's own tensorrt.
RUN --mount=type=cache,target=/root/.cache/pip \
    python3 -m venv --system-site-packages /opt/venv \
 && /opt/venv/bin/pip install --only-binary :all: -e '.[cpu,plans]'
ENV PATH=/opt/venv/bin:$PATH PYTHONPATH=/opt/thermal PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 HOME=/tmp
# It writes to the mounted repository: whoever owns the clone, mostly the machine's first user.
# Another one: docker compose run --rm --user "$(id -u):$(id -g)" plans
USER 1000:1000
ENTRYPOINT ["python", "-m", "training.build_plan"]
CMD ["--missing", "--repository", "/models"]
