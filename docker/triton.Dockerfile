# Triton for the same model repository. From the root of the repository:
#   docker build -f docker/triton.Dockerfile -t thermal-landmarks/triton:0.1.0 .
#   ... --target baked          with model_repository/ inside
# NVIDIA's image, pinned by tag, with its own backends: ONNX Runtime 1.28.0 and TensorRT. Plans fit
# one version of TensorRT: move this tag together with that of plans.Dockerfile, and build them anew.
# To pin by digest too, append the `@sha256:...` that `docker buildx imagetools inspect` prints.
FROM nvcr.io/nvidia/tritonserver:26.08-py3 AS runtime
# The image's own user triton-server, as a number.
USER 1000:1000
EXPOSE 8001 8002
# In the container itself: nobody outside needs the HTTP door.
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
  CMD ["curl", "-fsS", "http://127.0.0.1:8000/v2/health/ready"]
# Explicit control: the gateway asks for the models that it wants, so that one that this machine
# cannot run never stops the others. Configurations are complete; none is guessed.
ENTRYPOINT ["tritonserver", "--model-repository=/models", "--model-control-mode=explicit", \
            "--disable-auto-complete-config", "--exit-timeout-secs=30"]
# Who may connect is the deployment's choice: by default only this container.
CMD ["--http-address=127.0.0.1", "--grpc-address=127.0.0.1", "--metrics-address=127.0.0.1"]

FROM runtime AS baked
COPY model_repository /models

# The default: the models are mounted at /models, read-only.
FROM runtime AS mounted
