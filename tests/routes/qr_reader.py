"""A reader of QR codes (ISO/IEC 18004) for tests: versions 1 to 10, levels M to H, byte mode, a perfect picture.

It shares nothing with the writer, corrects no errors, and says no to everything else.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

# Table 9: by level (its two bits) and version, [(blocks, data codewords each), …].
BLOCKS = {
    "M": [
        *([(1, 16)], [(1, 28)], [(1, 44)], [(2, 32)], [(2, 43)], [(4, 27)], [(4, 31)]),
        *([(2, 38), (2, 39)], [(3, 36), (2, 37)], [(4, 43), (1, 44)]),
    ],
    "Q": [
        *([(1, 13)], [(1, 22)], [(2, 17)], [(2, 24)], [(2, 15), (2, 16)], [(4, 19)], [(2, 14), (4, 15)]),
        *([(4, 18), (2, 19)], [(4, 16), (4, 17)], [(6, 19), (2, 20)]),
    ],
    "H": [
        *([(1, 9)], [(1, 16)], [(2, 13)], [(4, 9)], [(2, 11), (2, 12)], [(4, 15)], [(4, 13), (1, 14)]),
        *([(4, 14), (2, 15)], [(4, 12), (4, 13)], [(6, 15), (2, 16)]),
    ],
}
LEVELS = {0b00: "M", 0b11: "Q", 0b10: "H"}
# Annex E: centres of the alignment patterns.
ALIGNMENT = {
    1: [],
    2: [6, 18],
    3: [6, 22],
    4: [6, 26],
    5: [6, 30],
    6: [6, 34],
    7: [6, 22, 38],
    8: [6, 24, 42],
    9: [6, 26, 46],
    10: [6, 28, 50],
}
MASKS = [
    lambda i, j: (i + j) % 2 == 0,
    lambda i, _: i % 2 == 0,
    lambda _, j: j % 3 == 0,
    lambda i, j: (i + j) % 3 == 0,
    lambda i, j: (i // 2 + j // 3) % 2 == 0,
    lambda i, j: i * j % 2 + i * j % 3 == 0,
    lambda i, j: (i * j % 2 + i * j % 3) % 2 == 0,
    lambda i, j: ((i + j) % 2 + i * j % 3) % 2 == 0,
]
FORMAT_MASK = 0b101010000010010


def modules(svg: str, *, border: int = 4) -> list[list[bool]]:
    """Read the dark modules out of the picture: horizontal strokes of one module's height."""
    root = ET.fromstring(svg)
    size = int(root.get("viewBox", "").split()[2])
    grid = [[False] * size for _ in range(size)]
    [strokes] = [path.get("d", "") for path in root if path.get("stroke") == "#000"]
    x = y = 0.0
    for command, numbers in re.findall(r"([Mmh])([^Mmh]*)", strokes):
        values = [float(number) for number in re.findall(r"-?[0-9.]+", numbers)]
        if command == "h":
            for column in range(int(x), int(x + values[0])):
                grid[int(y)][column] = True
            x += values[0]
        else:
            x, y = (values[0], values[1]) if command == "M" else (x + values[0], y + values[1])
    return [row[border : size - border] for row in grid[border : size - border]]


def read(svg: str) -> str:
    """Read the text of a code, or fail an assertion."""
    grid = modules(svg)
    size = len(grid)
    version = (size - 17) // 4
    cells = [(8, 0), (8, 1), (8, 2), (8, 3), (8, 4), (8, 5), (8, 7), (8, 8), (7, 8)]
    cells += [(5 - i, 8) for i in range(6)]
    word = int("".join(str(int(grid[i][j])) for i, j in cells), 2) ^ FORMAT_MASK
    mask = MASKS[word >> 10 & 0b111]
    codewords = _codewords(grid, version, mask)
    data = _data(codewords, BLOCKS[LEVELS[word >> 13]][version - 1])
    bits = "".join(f"{byte:08b}" for byte in data)
    at = 0
    if bits[:4] == "0111":  # ECI: which characters the bytes are; one byte says UTF-8.
        assert int(bits[4:12], 2) == 26, "not UTF-8"
        at = 12
    assert bits[at : at + 4] == "0100", "not byte mode"
    wide = 16 if version >= 10 else 8
    count = int(bits[at + 4 : at + 4 + wide], 2)
    at += 4 + wide
    return bytes(int(bits[at + 8 * i : at + 8 * i + 8], 2) for i in range(count)).decode()


def _is_function(i: int, j: int, size: int, version: int) -> bool:
    """Whether a module is part of a pattern and not of the data."""
    if i == 6 or j == 6:
        return True
    if (i < 9 and (j < 9 or j >= size - 8)) or (i >= size - 8 and j < 9):
        return True
    if version >= 7 and ((i < 6 and j >= size - 11) or (j < 6 and i >= size - 11)):
        return True
    centres = ALIGNMENT[version]
    corners = {(6, 6), (6, centres[-1]), (centres[-1], 6)} if centres else set()
    return any(abs(i - a) <= 2 and abs(j - b) <= 2 for a in centres for b in centres if (a, b) not in corners)


def _codewords(grid, version, mask) -> list[int]:
    size = len(grid)
    bits = []
    upward = True
    for right in [*range(size - 1, 6, -2), *range(5, 0, -2)]:
        for i in range(size - 1, -1, -1) if upward else range(size):
            bits += [grid[i][j] ^ mask(i, j) for j in (right, right - 1) if not _is_function(i, j, size, version)]
        upward = not upward
    return [int("".join(str(int(bit)) for bit in bits[at : at + 8]), 2) for at in range(0, len(bits) - 7, 8)]


def _data(codewords: list[int], groups: list[tuple[int, int]]) -> list[int]:
    lengths = [each for blocks, each in groups for _ in range(blocks)]
    blocks: list[list[int]] = [[] for _ in lengths]
    stream = iter(codewords)
    for place in range(max(lengths)):
        for block, length in zip(blocks, lengths, strict=True):
            if place < length:
                block.append(next(stream))
    return [byte for block in blocks for byte in block]
