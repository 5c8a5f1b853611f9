"""The clock in the demo's picture, read back from pictures that the real ffmpeg draws."""

from __future__ import annotations

import subprocess

import pytest

from console.clock import DIGITS, SEGMENTS, clock_filters, segment_boxes

SIZE = 4
WIDTH, HEIGHT = 38 * SIZE, 9 * SIZE


def digit_lefts() -> list[int]:
    lefts, left = [], SIZE
    for place in range(len(DIGITS)):
        lefts.append(left)
        left += 6 * SIZE + (SIZE if place in {1, 3} else 0)
    return lefts


def read(picture: bytes) -> str:
    """Read HH:MM:SS: a segment is lit if the middle of its box is bright, away from where two boxes meet."""
    text = ""
    for left in digit_lefts():
        lit = set()
        for name, (x, y, width, height) in segment_boxes(left, SIZE, SIZE).items():
            if picture[(y + height // 2) * WIDTH + x + width // 2] > 150:
                lit.add(name)
        text += next(str(digit) for digit in range(10) if lit == {name for name in SEGMENTS if digit in SEGMENTS[name]})
    return f"{text[:2]}:{text[2:4]}:{text[4:]}"


def draw(ffmpeg: str, day_seconds: float, *, seconds: int) -> list[str]:
    filters = clock_filters(day_seconds, x=0, y=0, size=SIZE)
    source = f"color=gray:size={WIDTH}x{HEIGHT}:rate=1"
    command = [ffmpeg, "-loglevel", "error", "-f", "lavfi", "-i", source, "-vf", f"format=yuv420p,{filters}"]
    output = ["-frames:v", str(seconds), "-f", "rawvideo", "-pix_fmt", "gray", "-"]
    data = subprocess.run([*command, *output], capture_output=True, check=True).stdout
    size = WIDTH * HEIGHT
    return [read(data[start : start + size]) for start in range(0, len(data), size)]


@pytest.mark.parametrize(
    ("day_seconds", "shown"),
    [
        (0.25, ["00:00:00", "00:00:01", "00:00:02"]),
        (45_296.5, ["12:34:56", "12:34:57", "12:34:58"]),
        (59.0, ["00:00:59", "00:01:00", "00:01:01"]),
        (35_999.0, ["09:59:59", "10:00:00", "10:00:01"]),
        (86_399.0, ["23:59:59", "00:00:00", "00:00:01"]),
    ],
)
def test_the_picture_tells_the_time(ffmpeg, day_seconds, shown):
    assert shown == draw(ffmpeg, day_seconds, seconds=3)


def test_no_two_digits_look_alike():
    faces = {tuple(digit in lit for lit in SEGMENTS.values()) for digit in range(10)}

    assert 10 == len(faces)


def test_no_font_is_needed():
    assert "drawtext" not in clock_filters(0, x=0, y=0, size=1)
