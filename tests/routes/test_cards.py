import json
from datetime import UTC, datetime

import pytest

from db.channels import Channels
from db.errors import StoreUnavailable
from media.thumbnails import Thumbnail
from routes.addresses import Addresses
from routes.cards import HEIGHT, SIDE_MIN, WIDTH, Cards

ADDRESSES = Addresses(
    host="127.0.0.1", http_port=8080, rsocket_port=6565, rtmp_port=1935, public_url="https://live.example"
)
PAGE = "https://live.example/c/%EB%82%98%EB%B9%84"


@pytest.fixture
def cards(pool):
    return Cards(Channels(pool), ADDRESSES, lambda _channel_id: Thumbnail(b"", "v1"))


@pytest.fixture
async def client(serve, cards):
    return await serve(cards.doors())


async def test_a_card_says_what_is_on_and_shows_it_while_it_is(cards, new_member, pool):
    nabi = await new_member("나비", live=True)
    await Channels(pool).edit(nabi.id, title="낮잠", category="고양이", tags=("힐링", "ASMR"))

    card = await cards.of("나비")
    picture = "/thumbnails/%EB%82%98%EB%B9%84.jpg?v=v1"
    assert (card.title, card.words, card.picture) == ("낮잠 · 나비", "고양이 · 힐링 · ASMR", picture)
    assert (card.now.title, card.now.category, card.now.tags) == ("낮잠", "고양이", ["힐링", "ASMR"])
    assert (card.now.on_air, card.now.thumbnail) == (True, picture)
    assert card.now.playback == "/hls/%EB%82%98%EB%B9%84/index.m3u8"
    assert card.now.started_at is not None


async def test_a_card_has_no_picture_before_there_is_one(new_member, pool):
    await new_member("miso", live=True)

    card = await Cards(Channels(pool), ADDRESSES, lambda _channel_id: None).of("miso")
    assert (card.title, card.words, card.picture) == ("miso", "", None)
    assert (card.now.on_air, card.now.thumbnail) == (True, None)


async def test_a_card_of_somebody_off_air_has_no_picture(cards, new_member):
    await new_member("miso")

    card = await cards.of("miso")
    assert (card.title, card.words, card.picture) == ("miso", "", None)
    assert (card.now.on_air, card.now.playback, card.now.started_at) == (False, None, None)


async def test_a_card_of_somebody_off_air_says_when_they_were_on(cards, new_member, pool):
    miso = await new_member("miso", live=True)
    await pool.execute("UPDATE broadcast SET ended_at = '2026-11-27T09:00:00Z' WHERE channel_id = $1", miso.id)

    assert (await cards.of("miso")).now.last_live_at == datetime(2026, 11, 27, 9, tzinfo=UTC)


async def test_there_is_no_card_of_nobody_and_none_while_the_store_is_away(cards):
    class Away:
        async def by_nickname(self, _nickname):
            raise StoreUnavailable("away")

    assert await cards.of("nobody") is None
    assert await Cards(Away(), ADDRESSES, lambda _channel_id: None).of("miso") is None


async def test_oembed_is_a_frame_with_the_player(client, new_member, pool):
    nabi = await new_member("나비")
    await Channels(pool).edit(nabi.id, title='"><script>', category=None, tags=None)

    embed = await (await client.get("/oembed", params={"url": PAGE})).json()

    assert (embed["version"], embed["type"], embed["title"]) == ("1.0", "video", '"><script> · 나비')
    assert (embed["width"], embed["height"], embed["author_url"]) == (WIDTH, HEIGHT, PAGE)
    assert 'src="https://live.example/embed/%EB%82%98%EB%B9%84"' in embed["html"]
    assert "<script>" not in embed["html"]


@pytest.mark.parametrize(
    ("offer", "size"),
    [
        ({"maxwidth": "320"}, (320, 180)),
        ({"maxwidth": "1280"}, (1280, 720)),
        ({"maxheight": "180"}, (320, 180)),
        ({"maxwidth": "1000", "maxheight": "90"}, (SIDE_MIN, SIDE_MIN * HEIGHT // WIDTH)),
        ({"maxwidth": "1"}, (SIDE_MIN, SIDE_MIN * HEIGHT // WIDTH)),
    ],
)
async def test_a_frame_fits_what_is_offered_and_stays_usable(client, new_member, offer, size):
    await new_member("나비")

    embed = await (await client.get("/oembed", params={"url": PAGE, **offer})).json()

    assert (embed["width"], embed["height"]) == size


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ({"url": "https://live.example/c/nobody"}, "channel.unknown"),
        ({"url": "https://live.example/studio"}, "wire.shape"),
        ({}, "wire.shape"),
        ({"url": PAGE, "format": "xml"}, "wire.shape"),
        ({"url": PAGE, "maxwidth": "wide"}, "wire.shape"),
        ({"url": PAGE, "maxheight": "0"}, "wire.shape"),
    ],
)
async def test_what_cannot_be_embedded_is_refused(client, new_member, query, code):
    await new_member("나비")

    answer = await client.get("/oembed", params=query)

    assert json.loads(await answer.read())["code"] == code
