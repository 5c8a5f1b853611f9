import random
import struct

import pytest

from routes.emote_image import FRAMES_MAX, IMAGE_BYTES_MAX, SIDE_PIXELS_MAX, SIDE_PIXELS_MIN, EmoteImage, read
from tests.routes.pictures import anmf, chunk, gif, png, riff, vp8, vp8l, vp8x

FRAME = (28, 28, 0, 0)
GOOD = [
    (png(), "image/png"),
    (png(frames=[FRAME, (14, 14, 14, 14)]), "image/png"),
    (gif(), "image/gif"),
    (gif(colours=0), "image/gif"),
    (riff(vp8()), "image/webp"),
    (riff(vp8l()), "image/webp"),
    (riff(vp8x(), (b"ALPH", b"abc"), vp8()), "image/webp"),
    (riff(vp8x(), (b"ANIM", bytes(6)), anmf(0, 0, 28, 28), anmf(2, 2, 26, 26)), "image/webp"),
]


@pytest.mark.parametrize(("data", "media_type"), GOOD)
def test_a_picture_says_what_it_is_and_is_kept_as_it_is(data, media_type):
    picture = read(data)

    assert (picture.media_type, picture.width, picture.height, picture.data) == (media_type, 28, 28, data)


@pytest.mark.parametrize(
    ("data", "kept"),
    [
        (png(before=chunk(b"tEXt", b"where\0Seoul") + chunk(b"eXIf", b"GPS")), png()),
        (png(after=b"<script>"), png()),
        (gif(blocks=b"\x21\xfe\x05where\x00"), gif()),
        (gif(blocks=b"\x21\xff\x0bXMP DataXMP\x01x\x00"), gif()),
        (gif() + b"PK\x03\x04", gif()),
        (
            riff(vp8x(flags=0x3C), (b"ICCP", b"x"), vp8(), (b"EXIF", b"GPS"), (b"XMP ", b"x")),
            riff(vp8x(flags=0x10), vp8()),
        ),
        (riff(vp8()) + b"more", riff(vp8())),
    ],
)
def test_what_is_no_part_of_the_picture_goes(data, kept):
    assert read(data).data == kept


def test_what_makes_a_picture_move_stays():
    moving = gif(blocks=b"\x21\xff\x0bNETSCAPE2.0\x03\x01\x00\x00\x00\x21\xf9\x04\x00\x05\x00\x00\x00")

    assert read(moving).data == moving


@pytest.mark.parametrize("side", [SIDE_PIXELS_MIN, SIDE_PIXELS_MAX])
def test_sides_at_their_bounds(side):
    for data in (
        png(side, side),
        gif(side, side, frames=[(0, 0, 1, 1)]),
        riff(vp8(side, side)),
        riff(vp8l(side, side)),
    ):
        assert read(data).width == side


OUTSIDE = [
    *((make(width, height), "pixels") for make in (png, gif) for width, height in ((15, 28), (28, 129), (0, 0))),
    *((riff(make(width, 28)), "pixels") for make in (vp8, vp8l, vp8x) for width in (15, 129, 16_000)),
    (png(2**31 - 1, 2**31 - 1), "pixels"),
    (png(frames=[(29, 28, 0, 0)]), "outside"),
    (png(frames=[(28, 28, 1, 0)]), "outside"),
    (gif(frames=[(0, 0, 65_535, 65_535)]), "outside"),
    (gif(frames=[(0, 0, 0, 0)]), "outside"),
    (riff(vp8x(), anmf(2, 0, 28, 28)), "outside"),
    (riff(vp8x(), vp8(128, 128)), "outside"),
    (png(before=chunk(b"IHDR", struct.pack(">IIBBBBB", 16_000, 16_000, 8, 6, 0, 0, 0))), "two sizes"),
    (riff(vp8x(), vp8x(16_000, 16_000), vp8()), "two sizes"),
    (riff(vp8x(), anmf(0, 0, 28, 28, vp8l(16_000, 16_000))), "outside"),
    (riff(vp8x(), anmf(0, 0, 28, 28, vp8(128, 28))), "outside"),
    (riff(vp8x(), anmf(0, 0, 28, 28, (b"VP8L", b"/"))), "cut off"),
    (png(frames=[FRAME] * (FRAMES_MAX + 1)), "frames"),
    (gif(frames=[(0, 0, 28, 28)] * (FRAMES_MAX + 1)), "frames"),
    (b"", "neither"),
    (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "neither"),
    (b"\xff\xd8\xff\xe0 a JPEG", "neither"),
    (b"x" * (IMAGE_BYTES_MAX + 1), "bytes"),
    (png(pixels=False), "cut off"),
    (png()[:-12], "cut off"),
    (png()[:-1], "cut off|broken"),
    (png(before=chunk(b"CgBI", b"")), "critical"),
    (png().replace(b"IHDR", b"IHDX"), "broken"),
    (b"\x89PNG\r\n\x1a\n" + chunk(b"IDAT", b""), "IHDR"),
    (gif(frames=()), "no frame"),
    (gif(blocks=b"\x99"), "nobody knows"),
    (gif()[:-1], "cut off"),
    (riff(), "no frame"),
    (riff(vp8x()), "no frame"),
    (riff((b"ALPH", b"")), "no picture"),
    (riff((b"VP8 ", bytes(20))), "key frame"),
    (riff((b"VP8L", bytes(20))), "VP8L"),
    (riff(vp8())[:-1], "cut off"),
    (b"RIFF\x0c\0\0\0WEBPVP8 \xff\0\0\0", "cut off"),
]


@pytest.mark.parametrize(("data", "why"), OUTSIDE)
def test_what_is_not_taken(data, why):
    with pytest.raises(EmoteImage, match=why) as caught:
        read(data)

    assert caught.value.why


def test_nothing_is_hidden_in_a_frame():
    drawn = riff(vp8x(), anmf(0, 0, 28, 28, (b"ALPH", b"a"), vp8()))

    assert read(riff(vp8x(), anmf(0, 0, 28, 28, (b"ALPH", b"a"), (b"EXIF", b"GPS"), vp8()))).data == drawn


def test_whatever_comes_is_a_picture_that_reads_again_or_a_refusal():
    chance = random.Random(7)
    for _ in range(4_000):
        data = bytearray(chance.choice(GOOD)[0])
        for _ in range(chance.randrange(1, 4)):
            match chance.randrange(3):
                case _ if len(data) < 2:
                    break
                case 0:
                    data[chance.randrange(len(data))] = chance.randrange(256)
                case 1:
                    del data[chance.randrange(1, len(data)) :]
                case _:
                    at = chance.randrange(len(data))
                    data[at:at] = bytes(chance.randrange(256) for _ in range(chance.randrange(8)))
        try:
            picture = read(bytes(data))
        except EmoteImage:
            continue
        assert read(picture.data) == picture
