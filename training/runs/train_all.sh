#!/usr/bin/env bash
# The whole chain, command by command: persons, two networks, a repository that serves, figures.
#
#   HEAD_MODEL=head_model.npz [REAL_FACES=DIR] [MINUTES=120] training/runs/train_all.sh
#
# HEAD_MODEL comes from `python -m training.synthesis import-head ICT_FACEKIT head_model.npz`.
# REAL_FACES is a folder with a faces.json, to look at the result; nothing is trained on it.
set -euo pipefail
cd "$(dirname "$0")/../.."

: "${HEAD_MODEL:?the head model (.npz)}"
PYTHON=${PYTHON:-.venv/bin/python}
MINUTES=${MINUTES:-90}          # for each network, and a third more for the landmarks
POOL=${POOL:-.checkpoints/pool}
MODELS=${MODELS:-model_repository}

# Persons: portraits give landmark crops, portraits and figures together detector frames.
"$PYTHON" -m training.synthesis pool --head "$HEAD_MODEL" --out "$POOL" --kind portrait --persons 8000
"$PYTHON" -m training.synthesis pool --head "$HEAD_MODEL" --out "$POOL" --kind figure --persons 2000

train() { # name of the run and its config, minutes, more arguments
  "$PYTHON" -m training.train "training/configs/$1.toml" \
    --set data.pool="$POOL" --set loop.max_minutes="$2" "${@:3}"
}
publish() { # name of the run, name in the repository
  "$PYTHON" -m training.export --checkpoint ".checkpoints/$1/last.pt" --out ".checkpoints/$1/model.onnx"
  "$PYTHON" -m training.publish ".checkpoints/$1/model.onnx" --name "$2" \
    --repository "$MODELS" --training-note ".checkpoints/$1/note.json"
}
train detector_nano "$MINUTES"
publish detector_nano face_detector
train landmarks_t "$MINUTES"
train landmarks_t_sharpen "$((MINUTES / 3))" --init .checkpoints/landmarks_t/last.pt
publish landmarks_t_sharpen landmarks_t

"$PYTHON" -m training.evaluate --synthetic --models "$MODELS"
if [ -n "${REAL_FACES:-}" ]; then
  "$PYTHON" -m training.evaluate --real "$REAL_FACES" --models "$MODELS"
fi
