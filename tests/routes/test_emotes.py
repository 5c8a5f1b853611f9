import io
import json
from pathlib import Path

import pytest

from db.bus import Bus
from db.channels import Channels
from db.emote import EMOTES_MAX
from db.emotes import Emotes
from db.errors import StoreUnavailable
from db.members import Members
from routes import emotes as module
from routes.emote_image import IMAGE_BYTES_MAX
from routes.emotes import CHANGES_BURST, HOUSE, EmoteDoors
from routes.notices import Notices
from tests.routes.pictures import chunk, gif, png

URL = "/api/channels/streamer/emotes"
PNG = {"Content-Type": "image/png"}


@pytest.fixture
async def client(serve, application, redis):
    doors = EmoteDoors(Channels(application), Emotes(application), Notices(Bus(redis)))
    return await serve(doors.doors())


@pytest.fixture
async def owner(new_member, bearer):
    return bearer((await new_member("streamer")).id, "streamer")


async def _code(response, status):
    assert response.status == status
    return json.loads(await response.read())["code"]


async def test_a_channels_own_come_before_the_houses(client, owner):
    put = await client.put(f"{URL}/고양이", data=png(), headers=owner | PNG)
    listed = (await (await client.get(URL)).json())["emotes"]

    assert put.status == 200
    assert listed[0] == await put.json()
    assert (listed[0]["code"], listed[0]["width"], listed[0]["house"]) == ("고양이", 28, False)
    assert [each["code"] for each in listed[1:]] == list(HOUSE)
    assert all(each["house"] and each["url"].endswith(f"/{each['code']}.svg") for each in listed[1:])
    assert (await client.delete(f"{URL}/고양이", headers=owner)).status == 204
    assert await _code(await client.delete(f"{URL}/고양이", headers=owner), 404) == "emote.unknown"


async def test_the_room_is_told_that_the_list_has_changed(client, owner, redis, pool, monkeypatch):
    bus, number = Bus(redis), await pool.fetchval("SELECT id FROM member WHERE nickname = 'streamer'")
    await client.put(f"{URL}/cat", data=png(), headers=owner | PNG)
    await client.delete(f"{URL}/cat", headers=owner)

    told = [json.loads(entry.payload)["kind"] for entry in await bus.history(number, after=0, limit=9)]

    assert told == ["emotes", "emotes"]

    async def away(*_):
        raise StoreUnavailable("away")

    monkeypatch.setattr(Notices, "show", away)
    assert (await client.put(f"{URL}/cat", data=png(), headers=owner | PNG)).status == 200


async def test_a_code_of_the_house_may_be_the_channels(client, owner):
    await client.put(f"{URL}/paw", data=png(), headers=owner | PNG)

    listed = (await (await client.get(URL)).json())["emotes"]

    assert [each["house"] for each in listed if each["code"] == "paw"] == [False]


def test_the_houses_drawings_are_there():
    folder = Path(__file__).parents[2] / "web" / "img" / "emotes"

    assert sorted(path.stem for path in folder.iterdir()) == sorted(HOUSE)
    assert all("script" not in path.read_text() and path.stat().st_size < 2_000 for path in folder.iterdir())


@pytest.mark.parametrize(("data", "media_type"), [(png(), "image/png"), (gif(), "image/gif")])
async def test_a_picture_is_served_for_ever_as_what_it_is(client, owner, data, media_type, monkeypatch):
    # What it is called when it is sent does not matter.
    put = await client.put(f"{URL}/cat", data=data, headers=owner | {"Content-Type": "image/svg+xml"})
    url = (await put.json())["url"]
    picture = await client.get(url)

    assert (await picture.read(), picture.headers["Content-Type"]) == (data, media_type)
    assert picture.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert picture.headers["X-Content-Type-Options"] == "nosniff"
    assert picture.headers["Content-Security-Policy"] == "default-src 'none'; frame-ancestors 'none'"
    wrong = url.rpartition(".")[0] + ".webp"
    for none in (wrong, "/emotes/x.png", f"/emotes/{'0' * 64}.png", url.upper().replace("/EMOTES", "/emotes")):
        assert await _code(await client.get(none), 404) == "emote.unknown"


async def test_only_so_many_pictures_are_held(client, owner, monkeypatch):
    monkeypatch.setattr(module, "PICTURES_KEPT", 1)
    urls = []
    for number in range(2):
        data = png(before=chunk(b"gAMA", bytes([0, 0, 0, number])))
        put = await client.put(f"{URL}/cat{number}", data=data, headers=owner | PNG)
        urls.append((await put.json())["url"])

    for url in (*urls, *urls):
        assert (await client.get(url)).status == 200


async def test_a_picture_that_was_taken_away_or_left_with_its_owner_is_soon_served_no_more(
    client, owner, pool, monkeypatch
):
    monkeypatch.setattr(module, "KEPT_SECONDS", 0.0)
    urls = []
    for code, side in (("cat", 28), ("dog", 30)):
        put = await client.put(f"{URL}/{code}", data=png(side, side), headers=owner | PNG)
        urls.append((await put.json())["url"])
        assert (await client.get(urls[-1])).status == 200

    await client.delete(f"{URL}/cat", headers=owner)
    assert await _code(await client.get(urls[0]), 404) == "emote.unknown"
    await Members(pool).erase(await pool.fetchval("SELECT id FROM member WHERE nickname = 'streamer'"))
    assert await _code(await client.get(urls[1]), 404) == "emote.unknown"


async def test_a_picture_is_asked_for_once_while_it_is_held(client, owner, pool):
    put = await client.put(f"{URL}/cat", data=png(), headers=owner | PNG)
    url = (await put.json())["url"]
    await client.get(url)
    await pool.execute("DELETE FROM emote")

    assert (await client.get(url)).status == 200


async def test_where_a_photo_was_taken_is_not_kept(client, owner):
    put = await client.put(f"{URL}/cat", data=png(before=chunk(b"eXIf", b"GPS")), headers=owner | PNG)

    assert b"GPS" not in await (await client.get((await put.json())["url"])).read()


async def test_what_is_refused(client, owner, new_member, bearer):
    stranger = bearer((await new_member("mimi")).id, "mimi")
    for headers, path, data, status, code in (
        (PNG, f"{URL}/cat", png(), 401, "auth.members_only"),
        (stranger | PNG, f"{URL}/cat", png(), 403, "auth.forbidden"),
        (owner | PNG, "/api/channels/nobody/emotes/cat", png(), 404, "channel.unknown"),
        (owner | PNG, f"{URL}/Cat", png(), 400, "emote.code"),
        (owner | PNG, f"{URL}/cat", b"<svg/>", 400, "emote.image"),
        (owner | PNG, f"{URL}/cat", png(400, 400), 400, "emote.image"),
        (owner | PNG, f"{URL}/cat", bytes(IMAGE_BYTES_MAX + 1), 400, "emote.image"),
        (owner | PNG, f"{URL}/cat", bytes(70_000), 413, "wire.too_large"),
        (owner | {"Content-Type": "text/plain"}, f"{URL}/cat", png(), 400, "wire.shape"),
        (owner, f"{URL}/cat", {"picture": io.BytesIO(png())}, 400, "wire.shape"),
    ):
        assert await _code(await client.put(path, data=data, headers=headers), status) == code
    assert await _code(await client.get("/api/channels/nobody/emotes"), 404) == "channel.unknown"
    assert await _code(await client.delete(f"{URL}/cat", headers=stranger), 403) == "auth.forbidden"


async def test_the_fifty_first_is_one_too_many(client, owner):
    for number in range(EMOTES_MAX):
        assert (await client.put(f"{URL}/c{number}", data=png(), headers=owner | PNG)).status == 200

    assert await _code(await client.put(f"{URL}/more", data=png(), headers=owner | PNG), 409) == "emote.too_many"


async def test_a_list_is_not_changed_again_and_again(client, owner, time_stands):
    for _ in range(CHANGES_BURST):
        await client.delete(f"{URL}/cat", headers=owner)

    assert await _code(await client.delete(f"{URL}/cat", headers=owner), 429) == "limit.too_fast"
    assert await _code(await client.put(f"{URL}/cat", data=png(), headers=owner | PNG), 429) == "limit.too_fast"
