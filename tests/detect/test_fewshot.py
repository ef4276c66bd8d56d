"""The default detector: its parts, and one tiny model trained end to end."""

import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch")

from backend.core.errors import LabelLoomError, UsageError  # noqa: E402
from backend.detect.base import Example, Runtime, Training  # noqa: E402
from backend.detect.fewshot import cache, train  # noqa: E402
from backend.detect.fewshot.backbone import pretrained, untrained, weights_file  # noqa: E402
from backend.detect.fewshot.course import EVERY, Course  # noqa: E402
from backend.detect.fewshot.net import POINTS, SIZE, Net, Whole  # noqa: E402
from backend.detect.fewshot.recipe import Recipe, recipe  # noqa: E402
from backend.detect.fewshot.views import View, Views, shrink, view  # noqa: E402
from backend.detect.metrics import evaluate  # noqa: E402
from backend.detect.model_dir import CURVE, INT8, ONNX, WEIGHTS, check_files  # noqa: E402
from backend.detect.onnx_model import open_model  # noqa: E402
from backend.detect.training import run_training  # noqa: E402

LABELS = ("빨간 사각형", "blue square")
# a task so easy needs few steps: larger ones, and views that are all alike
EASY = {"steps": 24, "views": 36, "rate": 4e-3, "trunk_rate": 5e-4, "warm": 5, "scale": (0.9, 1.1), "light": 0.1}
COLOURS = ((220, 40, 30), (40, 60, 220))


@pytest.fixture(autouse=True)
def one_thread():
    torch.set_num_threads(1)


def scene(folder, number):
    """An image with one or two coloured squares on noise, and where they are."""
    random = np.random.default_rng(number)
    width, height = 300, 220
    rgb = cv2.GaussianBlur(random.integers(60, 190, (height, width, 3), dtype=np.uint8), (9, 9), 0)
    boxes, labels = [], []
    for half in range(int(random.integers(1, 3))):
        side = int(random.integers(40, 90))
        x, y = int(random.integers(0, 150 - side)) + 150 * half, int(random.integers(0, height - side))
        label = int(random.integers(0, 2))
        rgb[y : y + side, x : x + side] = COLOURS[label]
        boxes.append((float(x), float(y), float(x + side), float(y + side)))
        labels.append(label)
    path = folder / f"그림 {number}.png"
    path.write_bytes(cv2.imencode(".png", rgb[..., ::-1])[1].tobytes())
    return Example(str(path), f"{number:064d}", width, height, tuple(boxes), tuple(labels)), rgb


# The backbone


def test_the_weights_are_imagenets_and_lie_where_they_belong():
    """A cat is a cat: one tensor in a wrong place, or batch norms folded wrongly, and it is anything."""
    data = pytest.importorskip("skimage.data")
    cat = cv2.resize(data.chelsea()[:, 75:375], (224, 224), interpolation=cv2.INTER_AREA)
    images = torch.from_numpy(cache.normalised(cat[None]))
    with torch.inference_mode():
        net, random = pretrained(), untrained(0)
        likely = net.classifier(net.embed(images)).softmax(1)[0]
        apart = (net.lower(images) - random.lower(images)).abs().mean()
    assert int(likely.argmax()) in {281, 282, 285}  # tabby, tiger cat, Egyptian cat
    assert float(likely[[281, 282, 285]].sum()) > 0.8
    assert float(apart) > 0.1


def _broken(name):
    state = torch.load(weights_file(), weights_only=True)
    keys = list(state)
    match name:
        case "one tensor less":
            del state[keys[10]]
        case "another shape":
            state[keys[36]] = state[keys[36]][:9]
        case "not a number":
            state[keys[0]][0, 0, 0, 0] = float("nan")
        case "a list":
            return list(state.values())
    return state


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("one tensor less", "295 tensors, EfficientNet-Lite0 has 296"),
        ("another shape", "convolution .* expected"),
        ("not a number", "not finite"),
        ("a list", "0 tensors"),
    ],
)
def test_weights_that_are_others_are_refused(tmp_path, name, message):
    torch.save(_broken(name), tmp_path / "무게.pth")
    with pytest.raises(UsageError, match=message):
        pretrained(tmp_path / "무게.pth")


def test_a_file_that_holds_no_weights_is_refused_and_none_of_it_is_run(tmp_path):
    (tmp_path / "무게.pth").write_bytes(b"<html>404</html>")
    with pytest.raises(UsageError, match=r"무게.pth is no file of weights"):
        pretrained(tmp_path / "무게.pth")
    torch.save({"a": Hostile(str(tmp_path / "run"))}, tmp_path / "bad.pth")
    with pytest.raises(UsageError, match="no file of weights"):
        pretrained(tmp_path / "bad.pth")
    assert not (tmp_path / "run").exists()


class Hostile:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (self.path, "w")


# Views


def test_what_is_in_a_box_is_in_it_in_every_view():
    rgb = np.full((300, 400, 3), 90, np.uint8)
    rgb[100:180, 40:140] = (250, 20, 20)
    image = View(rgb, np.array([[40, 100, 140, 180]], np.float32), np.array([1]))
    random, seen = np.random.default_rng(0), 0
    for _ in range(60):
        one = view(image, SIZE, Views(vflip=0.5), random)
        assert one.rgb.shape == (SIZE, SIZE, 3) and one.rgb.dtype == np.uint8
        rows, columns = np.nonzero(one.rgb[..., 0].astype(int) - one.rgb[..., 1] > 60)
        if len(one.boxes):
            seen += 1
            found = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
            assert np.abs(np.array(found) - one.boxes[0]).max() < 1.5
            assert one.labels.tolist() == [1]
    assert seen > 40


def test_a_view_without_boxes_is_one_and_the_same_seed_gives_the_same():
    image = View(np.full((50, 60, 3), 9, np.uint8), np.zeros((0, 4), np.float32), np.zeros(0, np.int64))
    a, b = (view(image, SIZE, Views(), np.random.default_rng(3)) for _ in range(2))
    assert a.boxes.shape == (0, 4) and np.array_equal(a.rgb, b.rgb)


def test_large_images_are_shrunk_with_their_boxes():
    small, boxes = shrink(np.zeros((1000, 2000, 3), np.uint8), np.array([[0, 0, 2000, 1000]], np.float32))
    assert small.shape == (240, 480, 3) and boxes.tolist() == [[0, 0, 480, 240]]


# The recipe


def test_more_images_get_more_steps_and_fast_gets_few():
    steps = [recipe({}, count, fast=False).steps for count in (20, 150, 700, 100_000)]
    assert steps == [175, 260, 700, 1200]
    assert recipe({}, 150, fast=True).steps < 200
    assert recipe({"vflip": 0.5, "scale": [0.8, 1.2], "steps": 50}, 20, fast=False) == Recipe(
        steps=50, look=Views(vflip=0.5, scale=(0.8, 1.2))
    )


@pytest.mark.parametrize(
    "options",
    [
        {"epochs": 3},
        {"steps": 0},
        {"steps": 50.5},
        {"rate": float("nan")},
        {"rate": -1},
        {"hflip": "yes"},
        {"vflip": 2},
        {"scale": [1.4, 0.6]},
        {"scale": 1},
        {"backbone": "resnet"},
        {"look": {}},
        {"patience": True},
    ],
)
def test_an_option_that_cannot_be_is_refused_with_what_can(options):
    with pytest.raises(UsageError, match=next(iter(options))) as caught:
        recipe(options, 50, fast=False)
    assert caught.value.fix


def test_however_many_images_there_are_the_views_kept_at_once_are_bounded():
    for count in (1, 10, 199, 200, 201, 601, 5000):
        of = cache.rounds(count, 600)
        largest = -(-count // of)
        assert largest * max(cache.FEWEST, min(cache.MOST, 600 // largest)) <= 600


# The course


class Line(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.trunk = torch.nn.Linear(1, 1)
        self.head = torch.nn.Linear(1, 1)

    def forward(self, x):
        return self.head(self.trunk(x))


def fall(course, steps):
    random = torch.Generator().manual_seed(course.step)
    for _ in range(steps):
        x = torch.rand(8, 1, generator=random)
        course.learn(((course.net(x) - 3 * x) ** 2).mean())


def test_a_loss_that_is_no_number_ends_the_training_and_says_at_which_step():
    course = Course(Line(), Recipe())
    fall(course, 6)
    with pytest.raises(LabelLoomError, match="loss is nan at step 7") as caught:
        course.learn(course.net(torch.full((1, 1), float("nan"))).sum())
    assert "rate" in caught.value.fix


def test_a_checkpoint_goes_on_with_the_same_numbers(tmp_path):
    torch.manual_seed(0)
    whole = Course(Line(), Recipe(patience=0))
    fall(whole, 60)
    whole.save(tmp_path / "checkpoint.pt", "this")
    other = Course(Line(), Recipe(patience=0))
    assert other.resume(tmp_path / "checkpoint.pt", "this") and other.step == 60
    fall(whole, 20)
    fall(other, 20)
    assert other.step == 80
    assert all(torch.equal(other.average[name], value) for name, value in whole.average.items())


def test_a_checkpoint_of_another_training_or_half_of_one_is_passed_over(tmp_path):
    course = Course(Line(), Recipe())
    course.save(tmp_path / "checkpoint.pt", "this")
    assert not course.resume(tmp_path / "checkpoint.pt", "that")
    half = (tmp_path / "checkpoint.pt").read_bytes()[:300]
    (tmp_path / "checkpoint.pt").write_bytes(half)
    assert not course.resume(tmp_path / "checkpoint.pt", "this")
    assert not course.resume(tmp_path / "none.pt", "this")


def test_a_training_that_learns_no_more_ends_early_and_one_that_learns_does_not():
    still, learning = Course(Line(), Recipe(rate=0.0, trunk_rate=0.0)), Course(Line(), Recipe())
    for step in range(Recipe().steps):
        if still.step < still.end:
            still.learn(still.net(torch.ones(1, 1)).sum() * 0 + 1)
        learning.learn(learning.net(torch.ones(1, 1)).sum() * 0 + 1 / (1 + step))
    assert still.step == still.end < 2 * Recipe().patience + EVERY + 50
    assert learning.step == Recipe().steps


# The network


def test_boxes_lie_in_the_canvas_and_an_image_without_boxes_can_be_learned():
    trunk = untrained(1)
    net = Net(2, trunk)
    images = torch.rand(2, 3, SIZE, SIZE) * 2 - 1
    with torch.inference_mode():
        boxes, scores = Whole(trunk, net).eval()(images)
    assert boxes.shape == (2, POINTS, 4) and scores.shape == (2, POINTS, 2)
    assert float(boxes.min()) >= 0 and float(boxes.max()) <= SIZE
    assert 0 <= float(scores.min()) <= float(scores.max()) <= 1
    nothing = {"boxes": torch.zeros(0, 4), "labels": torch.zeros(0, dtype=torch.int64)}
    one = {"boxes": torch.tensor([[10.0, 10, 60, 60]]), "labels": torch.tensor([1])}
    with torch.no_grad():
        maps = trunk.upper(trunk.lower(images))
        once, again = net(maps[:1]), net(maps)
    assert torch.allclose(once["cls_logits"], again["cls_logits"], atol=1e-4)
    assert torch.isfinite(net.loss(maps[:1], [nothing, one]))
    assert torch.isfinite(net.loss(maps, [nothing, nothing]))


def test_maps_by_onnx_runtime_are_those_of_torch():
    trunk = pretrained()
    images = cache.normalised(np.random.default_rng(0).integers(0, 256, (2, SIZE, SIZE, 3), dtype=np.uint8))
    with torch.inference_mode():
        theirs = [one.numpy() for one in trunk.upper(trunk.lower(torch.from_numpy(images)))]
    (low,) = cache.features(trunk, 1, whole=False)(images)
    ours = cache.features(trunk, 1, whole=True)(images)
    assert np.array_equal(low, ours[0])
    assert all(np.abs(a - b).max() < 1e-3 for a, b in zip(ours, theirs, strict=True))


# All of it


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """One tiny model, trained in a child process that has no network to ask."""
    folder = tmp_path_factory.mktemp("few")
    examples = [scene(folder, number)[0] for number in range(16)]
    examples[3] = Example(str(folder / "gone.png"), "", 10, 10, ((1.0, 1.0, 5.0, 5.0),), (0,))
    training = Training(LABELS, tuple(examples[:12]), tuple(examples[12:]), options=EASY)
    events = []
    info = run_training("fewshot", training, folder / "model", events.append)
    return folder, info, events


def test_a_tiny_model_finds_what_it_was_shown(trained):
    folder, info, _ = trained
    pairs = [scene(folder, number) for number in range(100, 108)]
    truth = [example for example, _ in pairs]
    for int8 in (False, True):
        detector = open_model(folder / "model", info, Runtime(int8=int8))
        figures = evaluate(detector.predict([rgb for _, rgb in pairs]), truth, LABELS, resamples=0)
        assert figures["ap50"] > 0.7, figures
        assert all(one["ap50"] > 0.5 for one in figures["labels"].values())


def test_its_folder_holds_all_that_is_needed(trained):
    folder, info, _ = trained
    assert check_files(folder / "model").files.keys() == {ONNX, INT8, WEIGHTS}
    assert not (folder / "model" / CURVE).exists()
    assert info.labels == LABELS and info.options["steps"] == 24
    assert (folder / "model" / INT8).stat().st_size < 0.4 * (folder / "model" / ONNX).stat().st_size


def test_its_events_tell_the_loss_the_curve_and_what_was_left_out(trained):
    _, _, events = trained
    losses = [event["loss"] for event in events if event["event"] == "step"]
    assert len(losses) == 24 and np.mean(losses[-6:]) < 0.7 * np.mean(losses[:6])
    curve = [event for event in events if event["event"] == "curve"]
    assert [event["step"] for event in curve] == [8, 16, 24]
    assert curve[-1]["ap50"] > curve[0]["ap50"]
    (note,) = [event["text"] for event in events if event["event"] == "note"]
    assert "gone.png is left out" in note


def test_a_later_training_goes_on_from_it_if_the_labels_are_the_same(trained):
    folder, _, _ = trained
    trunk = pretrained()
    net = Net(2, trunk)
    before = next(iter(net.state_dict().values())).clone()
    told = []
    train._warm_start(Training(LABELS, (), start=str(folder / "model")), net, trunk, told.append)
    assert not torch.equal(before, next(iter(net.state_dict().values())))
    assert "goes on from untitled" in told[0]["text"]
    train._warm_start(Training(("other", "one"), (), start=str(folder / "model")), net, trunk, told.append)
    assert "other labels" in told[1]["text"]
    (folder / "model" / WEIGHTS).write_bytes(b"no weights")
    with pytest.raises(UsageError, match="no file of weights"):
        train._warm_start(Training(LABELS, (), start=str(folder / "model")), net, trunk, told.append)


def test_nothing_to_learn_from_is_refused(tmp_path):
    example = Example("a.png", "", 5, 5)
    with pytest.raises(UsageError, match="no box"):
        train.train(Training(LABELS, (example,)), tmp_path, print)
    wrong = Example("a.png", "", 5, 5, ((1.0, 1.0, 2.0, 2.0),), (2,))
    with pytest.raises(UsageError, match=r"labels \[2\]"):
        train.train(Training(LABELS, (wrong,)), tmp_path, print)
    with pytest.raises(LabelLoomError, match="can be read"):
        gone = Example(str(tmp_path / "a.png"), "", 5, 5, ((1.0, 1.0, 2.0, 2.0),), (0,))
        train.train(Training(LABELS, (gone,), options={"backbone": "random"}), tmp_path, lambda event: None)
