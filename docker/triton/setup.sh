#!/usr/bin/env bash
# Installs the Triton server that serve.sh starts: setup.sh PYTHON ENVIRONMENT
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
python=$1 environment=$2
"$python" -m venv --clear "$environment"
"$environment/bin/python" -m pip install -qq --no-deps -r "$here/requirements.txt"

# One folder a backend, as links: the package's Python backend, with the stub of this very Python
# beside it, and ours. Links to files would not do: Triton refuses libraries outside their folder.
version=$("$environment/bin/python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
server=$(cd "$environment" && pwd)/lib/python$version/site-packages/pytriton/tritonserver
mkdir "$environment/backends"
cp "$server/python_backend_stubs/$version/triton_python_backend_stub" "$server/backends/python/"
ln -s "$server/backends/python" "$here/backends/onnxruntime" "$environment/backends/"
