import asyncio
import json
import re

import pytest

KEY = "sk_live_test"


@pytest.fixture
async def live(channel_client, on_air, new_member):
    await new_member("나비", key=KEY)
    await on_air.publish(KEY)
    return channel_client


@pytest.fixture
async def playlist_url(live):
    text = await (await live.get("/hls/나비/index.m3u8")).text()
    (uri,) = [line for line in text.splitlines() if line and not line.startswith("#")]
    return f"/hls/나비/{uri}"


async def _code(response, status):
    assert response.status == status
    assert response.headers["Content-Type"] == "application/problem+json"
    return json.loads(await response.read())["code"]


async def test_a_live_channel_has_a_playlist_that_any_page_may_read(live):
    response = await live.get("/hls/%EB%82%98%EB%B9%84/index.m3u8")

    assert response.status == 200
    assert response.headers["Content-Type"] == "application/vnd.apple.mpegurl"
    assert response.headers["Cache-Control"] == "no-cache"
    assert response.headers["Access-Control-Allow-Origin"] == "*"
    assert response.headers["Cross-Origin-Resource-Policy"] == "cross-origin"
    assert "Access-Control-Allow-Credentials" not in response.headers
    assert (await response.text()).startswith("#EXTM3U")


async def test_everything_a_media_playlist_lists_can_be_had_at_once(live, playlist_url):
    response = await live.get(playlist_url)
    text = await response.text()
    names = re.findall(r'URI="([^"]+)"', text) + [line for line in text.splitlines() if line.endswith(".m4s")]
    hinted = set(re.findall(r'#EXT-X-PRELOAD-HINT:[^\n]*URI="([^"]+)"', text))

    assert (response.headers["Content-Type"], response.headers["Cache-Control"]) == (
        "application/vnd.apple.mpegurl",
        "no-cache",
    )
    assert "#EXT-X-PART:" in text
    for name in set(names) - hinted:
        resource = await live.get(playlist_url.rsplit("/", 1)[0] + "/" + name)
        assert resource.status == 200, name
        assert resource.headers["Content-Type"] in {"video/mp4", "audio/mp4"}
        assert resource.headers["Cache-Control"] == "public, max-age=31536000, immutable"
        assert resource.headers["Access-Control-Allow-Origin"] == "*"
        assert len(await resource.read()) > 0


@pytest.mark.parametrize(("form", "media_type"), [("plain", "video/mp4"), ("ts", "video/mp2t"), ("dvr", "video/mp4")])
async def test_players_without_low_latency_have_playlists_of_whole_segments(live, form, media_type):
    async def get(path):
        response = await live.get(f"/hls/나비/{path}")
        assert response.status == 200, path
        assert response.headers["Access-Control-Allow-Origin"] == "*"
        return response

    listed = await (await get(f"{form}.m3u8")).text()
    (uri,) = [line for line in listed.splitlines() if line and not line.startswith("#")]
    assert uri.endswith(f"/source_{form}.m3u8")
    text = await (await get(uri)).text()
    names = re.findall(r'URI="([^"]+)"', text) + [line for line in text.splitlines() if line and line[0] != "#"]

    assert "#EXT-X-PART" not in text
    assert len(names) >= 2
    for name in names:
        resource = await get(uri.rsplit("/", 1)[0] + "/" + name)
        assert resource.headers["Content-Type"] == media_type
        assert resource.headers["Cache-Control"] == "public, max-age=31536000, immutable"
        assert len(await resource.read()) > 0


async def test_a_playlist_that_is_asked_for_ahead_waits_for_the_part(live, playlist_url, on_air, film):
    text = await (await live.get(playlist_url)).text()
    sequence = int(re.search(r"#EXT-X-MEDIA-SEQUENCE:(\d+)", text)[1])
    following = sequence + len(re.findall(r"#EXTINF:", text))
    parts = len(re.findall(r"#EXT-X-PART:", text.rsplit("#EXTINF:", 1)[-1]))

    waiting = asyncio.ensure_future(live.get(f"{playlist_url}?_HLS_msn={following}&_HLS_part={parts}"))
    known = await live.get(f"{playlist_url}?_HLS_msn={sequence}")
    assert known.status == 200
    assert not waiting.done()
    await on_air.broadcasts.close()

    answer = await waiting
    assert answer.status == 200
    assert "#EXT-X-ENDLIST" in await answer.text()


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ("_HLS_part=0", 400, "hls.part_without_msn"),
        ("_HLS_msn=9999", 400, "hls.too_far_ahead"),
        ("_HLS_msn=x", 400, "hls.directive"),
        ("_HLS_msn=1&_HLS_part=-1", 400, "hls.directive"),
        ("_HLS_msn=" + "9" * 40, 400, "hls.directive"),
    ],
)
async def test_a_directive_that_may_not_be_waited_for_is_refused_at_once(live, playlist_url, query, status, code):
    response = await live.get(f"{playlist_url}?{query}")

    assert await _code(response, status) == code
    assert response.headers["Access-Control-Allow-Origin"] == "*"
    assert response.headers["Cache-Control"] == "no-store"


async def test_what_is_not_listed_is_not_found(live, playlist_url):
    folder = playlist_url.rsplit("/", 1)[0]

    assert await _code(await live.get(f"{folder}/source_s9999.m4s"), 404) == "hls.not_listed"
    assert await _code(await live.get(f"{folder}/source_t9999.ts"), 404) == "hls.not_listed"
    for name in ("other", "source_other", "other_ts", "other_dvr"):
        assert await _code(await live.get(f"{folder}/{name}.m3u8"), 404) == "hls.no_such_rendition"
    assert await _code(await live.get("/hls/나비/999/source.m3u8"), 404) == "channel.off_air"
    assert await _code(await live.get("/hls/nobody/index.m3u8"), 404) == "channel.off_air"


@pytest.mark.parametrize(
    "name",
    [
        "..",
        "../../etc/passwd",
        "..%2f..%2fetc%2fpasswd",
        "%2fetc%2fpasswd",
        "source_s1.m4s%00",
        "source_s1.m4s/..",
        "x" * 200,
        "%EA%B0%80.m4s",
    ],
)
async def test_a_name_that_no_playlist_lists_leads_nowhere(live, playlist_url, name):
    response = await live.get(f"{playlist_url.rsplit('/', 1)[0]}/{name}")

    assert await _code(response, 404) in {"http.not_found", "hls.not_listed"}


async def test_head_and_options_are_answered(live, playlist_url):
    head = await live.head(playlist_url)
    options = await live.options(playlist_url, headers={"Origin": "https://other.example"})
    posted = await live.post(playlist_url)

    assert (head.status, await head.read()) == (200, b"")
    assert int(head.headers["Content-Length"]) > 0
    assert options.status == 204
    assert options.headers["Access-Control-Allow-Origin"] == "*"
    assert "GET" in options.headers["Access-Control-Allow-Methods"]
    assert await _code(posted, 405) == "http.method"


async def test_a_delta_playlist_is_smaller_or_the_same(live, playlist_url):
    full = await (await live.get(playlist_url)).text()
    delta = await (await live.get(f"{playlist_url}?_HLS_skip=YES")).text()

    assert len(delta) <= len(full)
    assert "#EXTM3U" in delta
