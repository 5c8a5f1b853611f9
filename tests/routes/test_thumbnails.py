import asyncio
import json

import pytest

from routes.thumbnails import CACHE, thumbnail_url

KEY = "sk_live_picture"
PATH = "/thumbnails/나비.jpg"


def test_the_url_is_safe_and_changes_with_the_picture():
    assert thumbnail_url("a/b") == "/thumbnails/a%2Fb.jpg"
    assert thumbnail_url("nabi", "01ab") == "/thumbnails/nabi.jpg?v=01ab"


@pytest.fixture
async def depicted(on_air, ffmpeg):
    """Broadcasts that look after themselves."""
    running = asyncio.create_task(on_air.broadcasts.run())
    yield on_air
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def _code(response):
    return response.status, json.loads(await response.read())["code"]


async def _picture(client, path=PATH):
    async with asyncio.timeout(60):
        while (response := await client.get(path)).status == 404:
            await asyncio.sleep(0.05)
    return response


@pytest.mark.parametrize("on_air_ffmpeg", [True], indirect=True)
async def test_a_picture_from_the_first_second_to_the_end(channel_client, new_member, depicted):
    await new_member("나비", key=KEY)
    assert await _code(await channel_client.get(PATH)) == (404, "channel.no_picture")
    feed = await depicted.publish(KEY)
    response = await _picture(channel_client)
    data, tag = await response.read(), response.headers["ETag"]
    shown = await (await channel_client.get("/api/channels/나비")).json()
    listed = await (await channel_client.get("/api/channels")).json()

    assert (response.content_type, response.headers["Cache-Control"]) == ("image/jpeg", CACHE)
    assert data.startswith(b"\xff\xd8")
    version = tag.strip('"')
    assert shown["thumbnail"] == listed["channels"][0]["thumbnail"] == thumbnail_url("나비", version)
    assert await (await channel_client.get(shown["thumbnail"])).read() == data

    for asked in (tag, f'"other", {tag}', "*"):
        again = await channel_client.get(PATH, headers={"If-None-Match": asked})
        assert (again.status, await again.read(), again.headers["ETag"]) == (304, b"", tag)
    other = await channel_client.get(PATH, headers={"If-None-Match": '"other"'})
    assert (other.status, await other.read()) == (200, data)

    await feed.end(clean=True)
    assert (await channel_client.get(PATH)).status == 200  # It may come back.
    await depicted.broadcasts.close()
    assert await _code(await channel_client.get(PATH)) == (404, "channel.no_picture")
    assert (await (await channel_client.get("/api/channels/나비")).json())["thumbnail"] is None


async def test_without_ffmpeg_there_is_no_picture_and_nothing_else_is_missing(channel_client, new_member, depicted):
    await new_member("나비", key=KEY)
    await depicted.publish(KEY)
    shown = await (await channel_client.get("/api/channels/나비")).json()

    assert (shown["on_air"], shown["thumbnail"]) == (True, None)
    assert await _code(await channel_client.get(PATH)) == (404, "channel.no_picture")


@pytest.mark.parametrize("path", ["/thumbnails/..%2f..%2fetc%2fpasswd.jpg", "/thumbnails/.jpg", "/thumbnails/a.png"])
async def test_a_name_is_looked_up_and_never_a_path(channel_client, path):
    response = await channel_client.get(path)

    assert response.status == 404
