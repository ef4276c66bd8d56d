"""Reads a VOC folder with torchvision: `python voc_detection.py ROOT`, where ROOT/VOCdevkit/VOC2012 is the folder."""

import json
import sys

from torchvision.datasets import VOCDetection


def main(root: str) -> None:
    """Print as JSON how many images and objects the train split has; each image is opened."""
    dataset = VOCDetection(root, year="2012", image_set="train")
    objects = 0
    for image, annotation in dataset:
        size = annotation["annotation"]["size"]
        if image.size != (int(size["width"]), int(size["height"])):
            msg = f"{annotation['annotation']['filename']}: {image.size}, but annotated as {size}"
            raise ValueError(msg)
        objects += len(annotation["annotation"].get("object", []))
    print(json.dumps({"images": len(dataset), "objects": objects}))


if __name__ == "__main__":
    main(sys.argv[1])
