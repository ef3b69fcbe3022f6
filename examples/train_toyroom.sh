#!/bin/sh
# Makes the weights "toyroom" and "toyroom-neck": renders rooms, trains the segmenter in three steps,
# chooses its thresholds, trains both relation stages on it, calibrates, packs, evaluates.
# Needs the extras toyroom, train and eval, and hours on a CPU. After an interruption the same command
# goes on.
#
# usage: examples/train_toyroom.sh FOLDER [START]
#   FOLDER  where everything is written
#   START   a ViT-Ti that was pretrained on ImageNet (default: timm's, which is downloaded)
# SCENES=950 in the environment makes a tenth of the rooms, for a try: worse weights in a tenth of the time.
set -eu
out=${1:?"usage: $0 FOLDER [START]"}
start=${2:-timm:deit_tiny_patch16_224}
scenes=${SCENES:-9500}
mkdir -p "$out"

train() { # STAGE CONFIGURATION NAME SETTING...; goes on with what was begun
    stage=$1 configuration=$2 name=$3
    shift 3
    resume=
    [ -e "$out/$name/last.ckpt" ] && resume=--resume
    dsflash train "$stage" "$configuration" dataset="$out/train" out="$out/$name" "$@" $resume
}

dsflash toyroom render --scenes "$scenes" --views 2 --seed 1 --test-share 0.02 --out "$out/train"
dsflash toyroom render --scenes $(((scenes + 18) / 19)) --seed 2 --split test --out "$out/test"

# As many warm-up steps as the configurations have, for fewer rooms fewer.
warmup="warmup_steps=[$((scenes * 50 / 9500)),$((scenes * 100 / 9500))]"
train segmenter toyroom_coarse coarse start="$start" \
    "warmup_steps=[$((scenes * 100 / 9500)),$((scenes * 200 / 9500))]"
train segmenter toyroom middle start="$out/coarse/last.safetensors" image_size=320 epochs=1 "$warmup"
train segmenter toyroom fine start="$out/middle/last.safetensors" "$warmup"
dsflash weights thresholds "$out/fine/last.safetensors" "$out/train" --out "$out/segmenter.safetensors" --overwrite

for name in toyroom toyroom_neck; do
    train relations "$name" "$name" segmenter="$out/segmenter.safetensors" feature_cache="$out/cache"
    dsflash weights calibrate "$out/$name/last.safetensors" "$out/train" \
        --out "$out/$name-calibrated.safetensors" --overwrite
    dsflash weights pack "$out/$name-calibrated.safetensors" --out "$out/$name-small.safetensors" --overwrite
    for protocol in predcls sgdet; do
        dsflash eval "$out/test" --weights "$out/$name-small.safetensors" --protocol "$protocol" \
            --json "$out/$name-$protocol.json" --overwrite
    done
    dsflash weights pack "$out/$name-small.safetensors" --scores "$out/$name-predcls.json" \
        --scores "$out/$name-sgdet.json" --out "$out/$name.safetensors" --overwrite
done
