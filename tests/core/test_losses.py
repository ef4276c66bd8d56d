"""Losses as people read them."""

from backend.core.losses import loss_lines


def test_each_says_how_many_of_what_and_why() -> None:
    losses = {
        "attribute truncated left out": 12, "score left out": 1, "image tag left out": 3,
        "region clipped at the frame": 2,
        "polygon written as its bounding box": 1200, "box left out: class folders hold one class per image": 5,
        "mask left out: an image holds 254 objects and 254 classes at most": 1, "keypoint left out": 2,
    }  # fmt: skip
    variants = {"attribute truncated left out": 8, "region clipped at the frame": 2}
    assert list(loss_lines(losses, variants, "yolo")) == [
        "12 regions (8 of them in variants): attribute 'truncated' left out, because yolo has no place for it",
        "5 regions: box left out: class folders hold one class per image",
        "3 image tags: image tag left out, because yolo has no place for it",
        "2 regions: keypoint left out, because yolo has no place for it",
        "1 region: mask left out: an image holds 254 objects and 254 classes at most",
        "1,200 regions: polygon written as its bounding box",
        "2 regions (all in variants): region clipped at the frame",
        "1 region: score left out, because yolo has no place for it",
    ]
