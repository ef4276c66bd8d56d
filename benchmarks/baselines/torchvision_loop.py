"""The loop a user would write with torchvision's v2 transforms: VOC dataset in, augmented images and YOLO labels out.

Run as `python torchvision_loop.py DATASET OUT VARIANTS`. The steps are those of `benchmarks/workload.py`. Pillow reads
and writes, as torchvision's own image functions are deprecated since 0.29.
"""

import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import torch
from PIL import Image
from torchvision import tv_tensors
from torchvision.transforms import v2

torch.set_num_threads(1)
torch.manual_seed(7)

augment = v2.Compose(
    [
        v2.ToImage(),
        v2.RandomHorizontalFlip(p=0.5),
        v2.RandomApply([v2.RandomAffine(15, scale=(0.8, 1.2), interpolation=v2.InterpolationMode.BILINEAR)], p=0.9),
        v2.RandomApply([v2.ColorJitter(brightness=0.2, contrast=0.2)], p=0.5),
        v2.RandomApply([v2.GaussianNoise(sigma=0.32)], p=0.3),
        v2.ClampBoundingBoxes(),
        v2.SanitizeBoundingBoxes(),
        v2.ToPILImage(),
    ]
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
        corners, labels = read_objects(dataset / "Annotations" / f"{path.stem}.xml")
        classes += [label for label in labels if label not in classes]
        numbers = torch.tensor([classes.index(label) for label in labels])
        for number in range(1, variants + 1):
            image = Image.open(path).convert("RGB")
            boxes = tv_tensors.BoundingBoxes(corners, format="XYXY", canvas_size=(image.height, image.width))
            picture, target = augment(image, {"boxes": boxes, "labels": numbers})
            name = f"{path.stem}_{number}"
            picture.save(out / "images" / f"{name}.jpg", quality=95)
            with (out / "labels" / f"{name}.txt").open("w") as file:
                for (x0, y0, x1, y1), label in zip(target["boxes"].tolist(), target["labels"].tolist(), strict=True):
                    centre = f"{(x0 + x1) / 2 / picture.width:.6f} {(y0 + y1) / 2 / picture.height:.6f}"
                    file.write(f"{label} {centre} {(x1 - x0) / picture.width:.6f} {(y1 - y0) / picture.height:.6f}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
