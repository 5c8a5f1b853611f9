"""Core: a wall clock drawn into a picture by ffmpeg's drawbox alone: seven-segment digits, so no font is needed."""

from __future__ import annotations

# Which digits light a segment.
SEGMENTS = {
    "top": (0, 2, 3, 5, 6, 7, 8, 9),
    "upper_left": (0, 4, 5, 6, 8, 9),
    "upper_right": (0, 1, 2, 3, 4, 7, 8, 9),
    "middle": (2, 3, 4, 5, 6, 8, 9),
    "lower_left": (0, 2, 6, 8),
    "lower_right": (0, 1, 3, 4, 5, 6, 7, 8, 9),
    "bottom": (0, 2, 3, 5, 6, 8, 9),
}
DAY_SECONDS = 86_400
# Each digit of HH:MM:SS as seconds per step and steps until it begins again.
DIGITS = ((36_000, 3), (3_600, 10), (600, 6), (60, 10), (10, 6), (1, 10))
COLOUR = "white"
GROUND = "black@0.6"
# Of the whole, in thicknesses of a segment.
WIDTH, HEIGHT = 38, 9


def segment_boxes(x: int, y: int, size: int) -> dict[str, tuple[int, int, int, int]]:
    """Return each segment's (x, y, width, height) for a digit `4 * size` wide and `7 * size` high at (x, y)."""
    return {
        "top": (x, y, 4 * size, size),
        "upper_left": (x, y, size, 4 * size),
        "upper_right": (x + 3 * size, y, size, 4 * size),
        "middle": (x, y + 3 * size, 4 * size, size),
        "lower_left": (x, y + 3 * size, size, 4 * size),
        "lower_right": (x + 3 * size, y + 3 * size, size, 4 * size),
        "bottom": (x, y + 6 * size, 4 * size, size),
    }


def clock_filters(day_seconds: float, *, x: int, y: int, size: int) -> str:
    """Return a filter chain that draws HH:MM:SS.

    Args:
        day_seconds: seconds since midnight at the picture's first frame.
        x: left edge in pixels, of the ground behind the digits.
        y: its upper edge.
        size: thickness of a segment in pixels; the whole is `WIDTH * size` wide and `HEIGHT * size` high.
    """
    boxes = [f"drawbox={x}:{y}:{WIDTH * size}:{HEIGHT * size}:{GROUND}:fill"]
    left = x + size
    for place, (step_seconds, steps) in enumerate(DIGITS):
        # Hours begin anew at midnight, so every digit counts within the day.
        now = f"mod(t+{day_seconds:.3f},{DAY_SECONDS})"
        digit = f"mod(floor({now}/{step_seconds}),{steps})"
        for name, (box_x, box_y, width, height) in segment_boxes(left, y + size, size).items():
            mask = sum(1 << lit for lit in SEGMENTS[name])
            lit = f"mod(floor({mask}/pow(2,{digit})),2)"
            boxes.append(f"drawbox={box_x}:{box_y}:{width}:{height}:{COLOUR}:fill:enable='{lit}'")
        left += 6 * size
        if place in {1, 3}:
            boxes += [f"drawbox={left - size // 2}:{y + dot * size}:{size}:{size}:{COLOUR}:fill" for dot in (3, 6)]
            left += size
    return ",".join(boxes)
