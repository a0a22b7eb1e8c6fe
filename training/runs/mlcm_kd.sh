#!/usr/bin/env bash
# MLCM-KD: RGB teacher -> KTL, to a thermal network -> MCL, to small ones. Run it again to go on: a
# finished stage is left as it is, an interrupted one resumed.
#
#   PROFILE=two-cores HEAD_MODEL=head_model.npz [POOL=DIR] [MINUTES=60] training/runs/mlcm_kd.sh
#   PROFILE=paper RGB_SETS='["300w=DIR", ...]' PAIRED_SETS='["tfake=DIR"]' [DEVICES=4] training/runs/mlcm_kd.sh
#
# TEACHER, STUDENT and SMALL are variants (SMALL one or several); MINUTES limits each stage. The
# paper's data sets are for research only, and so is what is trained on them. HEAD_MODEL is needed
# until POOL is complete.
set -euo pipefail
cd "$(dirname "$0")/../.."

PROFILE=${PROFILE:-two-cores}
PYTHON=${PYTHON:-.venv/bin/python}
DEVICES=${DEVICES:-1}
common=()
case $PROFILE in
  two-cores)
    TEACHER=${TEACHER:-s} STUDENT=${STUDENT:-s} SMALL=${SMALL:-t} POOL=${POOL:-.checkpoints/pool_rgb}
    # Shards that are there are kept. Another seed than that of the main pool: other persons.
    [ -z "${HEAD_MODEL:-}" ] || "$PYTHON" -m training.synthesis pool --rgb --kind portrait \
      --persons 4000 --seed 1 --head "$HEAD_MODEL" --out "$POOL"
    [ -d "$POOL" ] || { echo "no $POOL yet: HEAD_MODEL=head_model.npz renders it" >&2; exit 1; }
    common+=(--set data.pool="$POOL")
    # From random weights these minutes would teach nothing: the published networks are the start, and
    # the transfer begins with the teacher's backbone under a new head.
    published() { echo model_repository/landmarks_"$1"/*/model.onnx | tr ' ' '\n' | sort -V | tail -1; }
    rgb=(--set start.checkpoint="$(published "$TEACHER")") paired=() ;;
  paper)
    TEACHER=${TEACHER:-l} STUDENT=${STUDENT:-l} SMALL=${SMALL:-s t}
    rgb=(--set data.sets="${RGB_SETS:?list of data sets in colour}")
    paired=(--set data.sets="${PAIRED_SETS:?list of paired data sets}") ;;
  *) echo "PROFILE: two-cores or paper, not $PROFILE" >&2; exit 1 ;;
esac
[ -z "${MINUTES:-}" ] || common+=(--set loop.max_minutes="$MINUTES")

run=("$PYTHON")
[ "$DEVICES" -le 1 ] || run+=(-m torch.distributed.run --standalone --nproc-per-node "$DEVICES")
configs=training/configs/${PROFILE//-/_}
stage() { # config, name of the run, variant, more arguments of training.train
  local resume=()
  [ ! -f ".checkpoints/$2/last.pt" ] || resume=(--resume)
  echo "== $2"
  "${run[@]}" -m training.train "$configs/$1.toml" --set name="$2" --set variant="$3" \
    ${common[@]+"${common[@]}"} "${@:4}" ${resume[@]+"${resume[@]}"}
}

prefix=mlcm_${PROFILE//-/_}
teacher=${prefix}_rgb_$TEACHER
transferred=${prefix}_ktl_$TEACHER$STUDENT
stage rgb_teacher "$teacher" "$TEACHER" ${rgb[@]+"${rgb[@]}"}
ktl=(--set teacher.checkpoint=".checkpoints/$teacher/last.pt")
[ "$PROFILE$TEACHER" != "two-cores$STUDENT" ] ||
  ktl+=(--set start.checkpoint=".checkpoints/$teacher/last.pt" --set start.part=backbone)
stage ktl "$transferred" "$STUDENT" ${paired[@]+"${paired[@]}"} "${ktl[@]}"
for variant in $SMALL; do
  mcl=(--set teacher.checkpoint=".checkpoints/$transferred/last.pt")
  [ "$PROFILE" != two-cores ] || mcl+=(--set start.checkpoint="$(published "$variant")")
  stage mcl "${prefix}_mcl_$TEACHER$STUDENT$variant" "$variant" ${paired[@]+"${paired[@]}"} "${mcl[@]}"
done
