"""The default detector: learns a project's own labels from some dozens of images, on a CPU, in minutes.

An ImageNet backbone that pip installs (`backbone`) keeps its lower stages; the upper ones, a feature pyramid and an
FCOS head (`net`) are trained on augmented views (`views`) whose lower features are computed once and kept (`cache`).
`train` is the loop over a `course`, told how by a `recipe`; `export` writes ONNX. All of it needs torch, so it runs in
a process of its own (`backend.detect.child`).
"""
