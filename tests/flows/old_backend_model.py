"""A model class for a real label-studio-ml 1.0.9 server; runs in that server's environment, not in ours."""

import sys

from label_studio_ml.api import init_app
from label_studio_ml.model import LabelStudioMLBase


class RectangleModel(LabelStudioMLBase):
    """Finds the same box in every image, and fails on images whose name says so."""

    def predict(self, tasks, **kwargs):
        (from_name, control), *_ = self.parsed_label_config.items()
        if any("broken" in task["data"]["image"] for task in tasks):
            raise RuntimeError("이 그림은 안 됩니다")
        value = {"x": 10, "y": 20, "width": 30, "height": 40, "rectanglelabels": control["labels"][:1]}
        region = {"from_name": from_name, "to_name": control["to_name"][0], "type": "rectanglelabels", "value": value}
        return [{"result": [region], "score": 0.25 + len(tasks) / 100} for _ in tasks]


if __name__ == "__main__":
    app = init_app(model_class=RectangleModel, model_dir=sys.argv[2])
    app.run(host="127.0.0.1", port=int(sys.argv[1]))
