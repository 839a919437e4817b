"""What a sheet of paper must be, whatever it says: readable."""

import re
from itertools import combinations

from jobs.publish.paper.layout import FOOT
from jobs.publish.paper.sheet import HEIGHT, WIDTH

TOUCH_MM = 0.35
"""Ends of letters may come so near to the box of another line: a box is as high as its highest letter."""


def assert_well_set(sheet):
    """Every text lies on the page, and no two lines of words on each other; numbers on maps may."""
    boxes = [(text, box) for text, box in sheet.boxes if len(re.findall(r"[^\W\d_]", text)) > 2]
    for text, (left, upper, right, lower) in boxes:
        assert left >= 5, text
        assert right <= WIDTH - 5, text
        assert upper >= 5, text
        assert lower <= HEIGHT - 4, text
    for (first, one), (second, other) in combinations(boxes, 2):
        assert not overlap(one, other), f"{first!r} lies on {second!r}"
    body = [box for _, box in boxes if box[1] < HEIGHT - FOOT + 2]
    assert max(box[3] for box in body) <= HEIGHT - FOOT + 2.5


def overlap(one, other):
    across = min(one[2], other[2]) - max(one[0], other[0])
    down = min(one[3], other[3]) - max(one[1], other[1])
    return across > TOUCH_MM and down > TOUCH_MM
