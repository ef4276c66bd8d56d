"""The loop a user would write with Albumentations: VOC dataset in, augmented images and YOLO labels out.

Run as `python plain_loop.py DATASET OUT VARIANTS`. The steps are those of `benchmarks/recipe.py`.
"""

import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import albumentations as A
import cv2

cv2.setNumThreads(1)

augment = A.Compose(
    [
        A.HorizontalFlip(p=0.5),
        A.Affine(rotate=(-15, 15), scale=(0.8, 1.2), p=0.9),
        A.RandomBrightnessContrast(p=0.5),
        A.GaussNoise(p=0.3),
    ],
    bbox_params=A.BboxParams(format="pascal_voc", label_fields=["labels"], min_visibility=0.3),
    seed=7,
)


def read_objects(path: Path) -> tuple[list[list[float]], list[str]]:
    """Return the boxes (xmin, ymin, xmax, ymax) and labels of a VOC annotation."""
    boxes, labels = [], []
    for entry in ET.parse(path).getroot().iter("object"):
        boxes.append([float(entry.findtext(f"bndbox/{side}") or 0) for side in ("xmin", "ymin", "xmax", "ymax")])
        labels.append(entry.findtext("name") or "")
    return boxes, labels


def main(dataset: Path, out: Path, variants: int) -> None:
    """Write `variants` augmented copies of every image."""
    (out / "images").mkdir(parents=True)
    (out / "labels").mkdir()
    classes: list[str] = []
    for path in sorted((dataset / "JPEGImages").iterdir()):
        boxes, labels = read_objects(dataset / "Annotations" / f"{path.stem}.xml")
        classes += [label for label in labels if label not in classes]
        for number in range(1, variants + 1):
            image = cv2.imread(str(path))
            result = augment(image=image, bboxes=boxes, labels=labels)
            height, width = result["image"].shape[:2]
            name = f"{path.stem}_{number}"
            cv2.imwrite(str(out / "images" / f"{name}.jpg"), result["image"], [cv2.IMWRITE_JPEG_QUALITY, 95])
            with (out / "labels" / f"{name}.txt").open("w") as file:
                for (x0, y0, x1, y1), label in zip(result["bboxes"], result["labels"], strict=True):
                    centre = f"{(x0 + x1) / 2 / width:.6f} {(y0 + y1) / 2 / height:.6f}"
                    file.write(f"{classes.index(label)} {centre} {(x1 - x0) / width:.6f} {(y1 - y0) / height:.6f}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
