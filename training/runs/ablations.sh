#!/usr/bin/env bash
# What parts of the synthesis give: the same training without each of them, compared on real images.
#
#   INIT=last.pt POOL=.checkpoints/pool REAL_FACES=DIR [MINUTES=60] training/runs/ablations.sh [NAME ...]
#
# Each run starts from INIT (a checkpoint or an exported ONNX model) and differs in its samples alone.
# Starting from a network that has seen everything, a short run shows what is forgotten: a lower bound.
set -euo pipefail
cd "$(dirname "$0")/../.."

: "${INIT:?where every run starts}" "${POOL:?rendered persons}" "${REAL_FACES:?folder with faces.json}"
PYTHON=${PYTHON:-.venv/bin/python}
MINUTES=${MINUTES:-60}
CAMERA=data.synthesis.camera

settings() { # name of the run; prints its --set arguments, one a line
  case $1 in
    everything) ;;
    no_turned_heads) echo data.max_abs_yaw=30 ;;
    no_blur_no_small_faces)
      printf '%s\n' "$CAMERA.blur_px=[0.3,0.5]" "$CAMERA.defocus_chance=0" "$CAMERA.motion_chance=0" \
        "$CAMERA.upscale_chance=0" "data.synthesis.view.face_px=[100,200]" ;;
    no_glasses) echo 'data.exclude=["glasses"]' ;;
    linear_gain_alone)
      printf '%s\n' "$CAMERA.gain_control.linear=1" "$CAMERA.gamma_chance=0" \
        "$CAMERA.detail_chance=0" "$CAMERA.ringing_chance=0" "$CAMERA.black_hot_chance=0" ;;
    *) echo "no ablation is called $1" >&2; return 1 ;;
  esac
}

names=("$@")
[ ${#names[@]} -gt 0 ] ||
  names=(everything no_turned_heads no_blur_no_small_faces no_glasses linear_gain_alone)
compared=()
for name in "${names[@]}"; do
  arguments=()
  while read -r setting; do
    [ -z "$setting" ] || arguments+=(--set "$setting")
  done < <(settings "$name")
  "$PYTHON" -m training.train training/configs/landmarks_t_sharpen.toml --init "$INIT" \
    --set name="ablation_$name" --set data.pool="$POOL" --set loop.max_minutes="$MINUTES" \
    "${arguments[@]}" ${THREADS:+--set hardware.threads="$THREADS"}
  compared+=(--checkpoint "landmarks=.checkpoints/ablation_$name/last.pt")
done
"$PYTHON" -m training.evaluate --real "$REAL_FACES" "${compared[@]}" --report .checkpoints/ablations.html
