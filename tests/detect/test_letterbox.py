import numpy as np
import pytest

from backend.detect.letterbox import GREY, letterbox, unletterbox


@pytest.mark.parametrize(("width", "height"), [(640, 480), (100, 300), (320, 320), (1, 500), (3000, 10), (7, 5)])
def test_a_box_of_the_image_lies_there_on_the_canvas_and_comes_back(width, height):
    rgb = np.zeros((height, width, 3), np.uint8)
    canvas, scale, dx, dy = letterbox(rgb, (320, 320), GREY)
    assert canvas.shape == (320, 320, 3)
    there = np.array([[dx, dy, width * scale + dx, height * scale + dy]], np.float32)
    assert there.min() >= 0 and there.max() <= 320.5
    back = unletterbox(there, scale, dx, dy, width, height)
    assert np.allclose(back, [[0, 0, width, height]], atol=0.01)


def test_the_image_keeps_its_aspect_ratio_in_the_middle_of_grey():
    canvas, scale, dx, dy = letterbox(np.full((200, 400, 3), 255, np.uint8), (320, 256), 99)
    assert (scale, dx, dy) == (0.8, 0, 48)
    assert (canvas[48:208] == 255).all()
    assert (canvas[:48] == 99).all() and (canvas[208:] == 99).all()


def test_a_coloured_square_is_found_where_the_mapping_says():
    rgb = np.zeros((480, 640, 3), np.uint8)
    rgb[120:240, 320:480] = 255
    canvas, scale, dx, dy = letterbox(rgb, (320, 320), 0)
    rows, columns = np.nonzero(canvas[..., 0] > 127)
    seen = np.array([[columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]], np.float32)
    assert unletterbox(seen, scale, dx, dy, 640, 480).tolist() == [[320, 120, 480, 240]]


def test_boxes_beyond_the_image_are_clipped_to_it():
    out = unletterbox(np.array([[-50, -50, 500, 500], [0, 0, 320, 10]], np.float32), 0.5, 0, 40, 640, 480)
    assert out.tolist() == [[0, 0, 640, 480], [0, 0, 640, 0]]
    assert unletterbox(np.zeros((0, 4), np.float32), 1, 0, 0, 5, 5).shape == (0, 4)
