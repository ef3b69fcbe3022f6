#!/bin/sh
# Makes the weights "toyroom": renders rooms, trains in four steps, calibrates, packs, evaluates.
# Needs the extras toyroom, train and eval, and hours on a CPU.
#
# usage: examples/train_toyroom.sh FOLDER [START]
#   FOLDER  where everything is written
#   START   a ViT-Ti that was pretrained on ImageNet (default: timm's, which is downloaded)
set -eu
out=${1:?"usage: $0 FOLDER [START]"}
start=${2:-timm:deit_tiny_patch16_224}
mkdir -p "$out"

dsflash toyroom render --scenes 9500 --views 2 --seed 1 --test-share 0.02 --out "$out/train"
dsflash toyroom render --scenes 500 --seed 2 --split test --out "$out/test"

dsflash train segmenter toyroom_coarse dataset="$out/train" start="$start" out="$out/coarse"
dsflash train segmenter toyroom dataset="$out/train" start="$out/coarse/last.safetensors" out="$out/middle" \
    image_size=320 epochs=1
dsflash train segmenter toyroom dataset="$out/train" start="$out/middle/last.safetensors" out="$out/fine"
dsflash train relations toyroom dataset="$out/train" segmenter="$out/fine/last.safetensors" \
    feature_cache="$out/cache" out="$out/relations"

dsflash weights calibrate "$out/relations/last.safetensors" "$out/train" \
    --out "$out/calibrated.safetensors"
dsflash weights pack "$out/calibrated.safetensors" --out "$out/small.safetensors"
for protocol in predcls sgdet; do
    dsflash eval "$out/test" --weights "$out/small.safetensors" --protocol "$protocol" \
        --json "$out/$protocol.json"
done
dsflash weights pack "$out/small.safetensors" \
    --scores "$out/predcls.json" --scores "$out/sgdet.json" --out "$out/toyroom.safetensors"
