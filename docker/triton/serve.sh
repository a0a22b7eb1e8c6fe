#!/usr/bin/env bash
# Triton on a model repository, reachable from this machine alone: serve.sh REPOSITORY [OPTION ...]
# It loads the models that it is asked for (explicit model control): the gateway asks.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
environment=$here/../../.venv-triton
python=$environment/bin/python
[ -x "$python" ] || { echo "no Triton in .venv-triton: run \`make triton-setup\`" >&2; exit 2; }
packages=$("$python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
libpython=$("$python" -c 'import sysconfig; print(sysconfig.get_config_var("LIBDIR"))')

# The Python backend starts the `python3` that it finds first, and needs that one's library.
export PATH=$environment/bin:$PATH LD_LIBRARY_PATH=$packages/nvidia_pytriton.libs:$libpython
exec "$packages/pytriton/tritonserver/bin/tritonserver" \
  --model-repository="$1" --backend-directory="$environment/backends" \
  --model-control-mode=explicit --disable-auto-complete-config \
  --grpc-address=127.0.0.1 --http-address=127.0.0.1 --metrics-address=127.0.0.1 "${@:2}"
