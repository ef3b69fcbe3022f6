"""Mask2Former, whose encoder PRO-SCALE's progressive token scaling makes cheaper.

Cheng et al., "Masked-attention Mask Transformer for Universal Image Segmentation", CVPR 2022; with
"Progressive Token Length Scaling in Transformer Encoders for Efficient Universal Segmentation".
Importing this package imports no torch.
"""
