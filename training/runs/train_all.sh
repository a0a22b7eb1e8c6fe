#!/usr/bin/env bash
# The whole chain, command by command: persons, three networks, a repository that serves, figures.
#
#   HEAD_MODEL=head_model.npz [REAL_FACES=DIR] [MINUTES=120] training/runs/train_all.sh
#
# HEAD_MODEL comes from `python -m training.synthesis import-head ICT_FACEKIT head_model.npz`.
# REAL_FACES is a folder with a faces.json, to look at the result; nothing is trained on it.
# To go on from published weights: training.train --init model_repository/landmarks_t/N/model.onnx
set -euo pipefail
cd "$(dirname "$0")/../.."

: "${HEAD_MODEL:?the head model (.npz)}"
PYTHON=${PYTHON:-.venv/bin/python}
MINUTES=${MINUTES:-90}          # for each network, and a third more for the landmarks
POOL=${POOL:-.checkpoints/pool}
MODELS=${MODELS:-model_repository}

# Persons: portraits give landmark crops, portraits and figures together detector frames.
"$PYTHON" -m training.synthesis pool --head "$HEAD_MODEL" --out "$POOL" --kind portrait --persons 12000
"$PYTHON" -m training.synthesis pool --head "$HEAD_MODEL" --out "$POOL" --kind figure --persons 4000

train() { # name of the run and its config, minutes, more arguments
  "$PYTHON" -m training.train "training/configs/$1.toml" \
    --set data.pool="$POOL" --set loop.max_minutes="$2" "${@:3}"
}
publish() { # name of the run, name in the repository, more arguments of the export
  "$PYTHON" -m training.export --checkpoint ".checkpoints/$1/last.pt" "${@:3}" \
    --out ".checkpoints/$1/$2.onnx"
  "$PYTHON" -m training.publish ".checkpoints/$1/$2.onnx" --name "$2" \
    --repository "$MODELS" --training-note ".checkpoints/$1/note.json"
}
publish_landmarks() { # name of the run, name in the repository: FP32, and INT8 made of it
  "$PYTHON" -m training.calibrate ".checkpoints/$1/last.pt" --pool "$POOL" --models "$MODELS"
  publish "$1" "$2"
  "$PYTHON" -m training.quantize ".checkpoints/$1/$2.onnx" --pool "$POOL" \
    --out ".checkpoints/$1/$2_int8.onnx"
  "$PYTHON" -m training.publish ".checkpoints/$1/$2_int8.onnx" --name "$2_int8" \
    --repository "$MODELS" --training-note ".checkpoints/$1/$2_int8.json"
}
train detector_nano "$MINUTES"
publish detector_nano face_detector
publish detector_nano face_detector_640 --input-size 640
train landmarks_t "$MINUTES"
train landmarks_t_sharpen "$((MINUTES / 3))" --init .checkpoints/landmarks_t/last.pt
publish_landmarks landmarks_t_sharpen landmarks_t
train landmarks_s "$((MINUTES / 2))" --init .checkpoints/landmarks_t_sharpen/last.pt
publish_landmarks landmarks_s landmarks_s

evaluate() { # the page, what to look at
  "$PYTHON" -m training.evaluate "${@:2}" --models "$MODELS" --variant t --variant s --report "$1"
}
evaluate .checkpoints/report.html --synthetic "$POOL"
if [ -n "${REAL_FACES:-}" ]; then
  evaluate .checkpoints/real.html --real "$REAL_FACES"
fi
