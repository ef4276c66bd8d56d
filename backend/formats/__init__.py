"""Text <-> values for each dataset format, and thin directory walkers.

Adding one: a file with an object that fulfils `base.Format`, a line in FORMATS, an independent reader in `verify`.
"""

from backend.formats.base import Format
from backend.formats.coco import COCO
from backend.formats.folders import FOLDERS
from backend.formats.voc import VOC
from backend.formats.yolo import YOLO, YOLO_OBB, YOLO_SEG

FORMATS: dict[str, Format] = {form.key: form for form in (YOLO, YOLO_OBB, YOLO_SEG, VOC, COCO, FOLDERS)}
