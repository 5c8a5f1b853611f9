"""Start, stop, kill, start again; and each thing an operator can get wrong."""

from __future__ import annotations

import os
import signal
import socket

import pytest
from house import Encoder, House, console_environment, eventually, reserve_port, run_console, words_of


async def everything_gone(house, family):
    await eventually(lambda: not house.leftovers(family), what="an empty house")


async def test_ctrl_c_leaves_no_process(new_house, ffmpeg, nickname):
    house = await new_house().start()
    streamer = await house.sign_up(nickname())
    async with Encoder(ffmpeg, streamer.stream_server, streamer.stream_key):
        await house.on_air(streamer.nickname)
        family = house.family()
        code = await house.stop()
        await everything_gone(house, family)

    assert code == 0
    assert len(family) > 4  # The console, both processes, PostgreSQL and Valkey.


async def test_kill_9_of_the_console_leaves_no_process_and_a_restart_finds_all_data(new_house, nickname):
    house = await new_house(COMMEOW_DEMO="1").start()
    streamer = await house.streamer(nickname())
    donor = await house.rich_member(nickname(), 700)
    async with house.connect(donor) as talking:
        await talking.give(streamer.nickname, 500, "before the fall")
        await talking.say(streamer.nickname, "a line before the fall")
    await house.on_air("demo")
    family = house.family()
    await house.signal(signal.SIGKILL)
    await everything_gone(house, family)

    await house.start()
    login = {"login_id": donor.login_id, "password": "correct horse battery staple"}
    donor.token = (await house.api("POST", "/api/members/login", login))["access_token"]
    points = await house.api("GET", "/api/points", token=donor.token)
    ran = await house.console("ledger", "audit")
    await house.stop()

    assert points == {"balance": 200, "earnings": 0}
    assert ran.code == 0, ran


@pytest.mark.parametrize("module", ["media", "rsocket_server", "postgres", "valkey"])
async def test_a_part_that_dies_is_started_again(new_house, module, nickname):
    house = await new_house().start()

    def part():
        return next((one for one in house.family() if module in " ".join(words_of(one)[:4])), None)

    before = part()
    before.kill()
    after = await eventually(lambda: part() if part() not in {None, before} else None, what="another one")
    assert after.pid != before.pid

    async def works_again():
        try:
            person = await house.sign_up(nickname())
            async with house.connect(person) as connection:
                return await connection.call(
                    "chat.say", {"channel": person.nickname, "id": "1", "text": "back"}, within=10
                )
        except Exception:  # noqa: BLE001 - whatever a house in repair answers
            return None

    await eventually(works_again, what="the repair")


# --- bad input -------------------------------------------------------------------------------------------------------


async def refuses(environment, *words, **options):
    """Run the console to its refusal: one line on stderr, exit code 1, no process left. Answer the line."""
    ran = await run_console(environment, *words, **options)
    lines = ran.complained.splitlines()

    assert ran.code == 1, ran
    assert len(lines) == 1, ran
    assert House.named(environment["COMMEOW_DATA"]) == []
    return lines[0]


@pytest.mark.parametrize("key", ["COMMEOW_HTTP_PORT", "COMMEOW_RSOCKET_PORT", "COMMEOW_RTMP_PORT"])
async def test_an_occupied_port_is_one_line(new_house, key):
    house = new_house()
    with socket.socket() as occupant:
        occupant.bind(("127.0.0.1", 0))
        occupant.listen()
        port = str(occupant.getsockname()[1])
        line = await refuses({**house.environment, key: port})

    assert port in line
    assert key in line
    # Nothing half-made: the same folder starts once the port is the house's own.
    await house.start()
    assert await house.stop() == 0


async def test_a_second_house_on_the_same_data_is_one_line(house):
    other = {name: str(reserve_port()) for name in ("COMMEOW_HTTP_PORT", "COMMEOW_RSOCKET_PORT", "COMMEOW_RTMP_PORT")}
    ran = await run_console({**house.environment, **other})

    assert ran.code == 1, ran
    assert len(ran.complained.splitlines()) == 1, ran
    assert str(house.data) in ran.complained
    await house.well()  # The first one did not notice.


async def test_a_missing_ffmpeg_is_one_line(tmp_path):
    data = tmp_path / "data"
    line = await refuses(console_environment(data, COMMEOW_FFMPEG=str(tmp_path / "no-such-ffmpeg")))

    assert "COMMEOW_FFMPEG" in line
    assert "no-such-ffmpeg" in line
    assert not data.exists()


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("COMMEOW_HTTP_PORT", "eighty"),
        ("COMMEOW_RTMP_PORT", "70000"),
        ("COMMEOW_RTMPS_PORT", "1936"),
        ("COMMEOW_DEMO", "perhaps"),
        ("COMMEOW_PAYMENTS", "gold"),
        ("COMMEOW_LADDER", "480p,huge"),
        ("COMMEOW_DATABASE_URL", "mysql://127.0.0.1/commeow"),
        ("COMMEOW_SECRET", "short"),
    ],
)
async def test_a_wrong_setting_is_one_line(tmp_path, key, value):
    data = tmp_path / "data"
    line = await refuses(console_environment(data, **{key: value}))

    assert key in line
    assert not data.exists()


async def test_a_database_of_another_major_version_is_one_line_and_stays_untouched(new_house):
    house = await new_house().start()
    await house.stop()
    [version] = top_version(house.data)
    major = version.read_text(encoding="utf-8")
    version.write_text("9\n", encoding="utf-8")
    line = await refuses(house.environment)

    assert " 9" in line
    assert version.read_text(encoding="utf-8") == "9\n"
    version.write_text(major, encoding="utf-8")
    await house.start()
    assert await house.stop() == 0


def top_version(data):
    """The cluster's own PG_VERSION, not those of its databases."""
    return [path for path in data.rglob("PG_VERSION") if (path.parent / "global").is_dir()]


async def test_a_data_folder_that_is_a_file_is_one_line(tmp_path):
    data = tmp_path / "data"
    data.write_text("somebody's file", encoding="utf-8")
    line = await refuses(console_environment(data))

    assert str(data) in line
    assert data.read_text(encoding="utf-8") == "somebody's file"


async def test_a_data_folder_that_may_not_be_read_is_one_line(tmp_path):
    data = tmp_path / "data"
    data.mkdir(mode=0o000)
    # Root reads everything; so take that right from it, as a container does.
    before = ("setpriv", "--bounding-set=-dac_override,-dac_read_search") if os.geteuid() == 0 else ()
    line = await refuses(console_environment(data), before=before)

    assert str(data) in line
    assert data.stat().st_mode & 0o777 == 0
    data.rmdir()  # Empty: nothing half-made.


async def test_an_unreachable_database_is_one_line(tmp_path):
    data = tmp_path / "data"
    nowhere = f"postgresql://commeow@127.0.0.1:{reserve_port()}/commeow"
    line = await refuses(console_environment(data, COMMEOW_DATABASE_URL=nowhere))

    assert "COMMEOW_DATABASE_URL" in line


async def test_an_unknown_word_is_a_hint_not_a_traceback(tmp_path):
    ran = await run_console(console_environment(tmp_path / "data"), "danse")

    assert ran.code != 0
    assert "Traceback" not in ran.complained
    assert "doctor" in ran.complained + ran.printed
