import asyncio
from pathlib import Path

import pytest

from routes import speech
from routes.rate_limit import Busy
from routes.speech import KEPT_MAX, SOUND_BYTES_MAX, WAITING_MAX, Speech, SpeechError, voice_of

SPEAKS = 'printf RIFF; echo "$@" >> "$0.asked"; cat'


@pytest.fixture
def program(tmp_path):
    """Write a program that stands for espeak-ng: `program("cat")`."""

    def write(script):
        path = tmp_path / "espeak-ng"
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        return str(path)

    return write


def asked(path):
    """What the program was started with, a line each time."""
    return Path(f"{path}.asked").read_text(encoding="utf-8").splitlines()


async def test_a_text_goes_in_by_stdin_and_comes_out_as_sound(program):
    path = program(SPEAKS)

    assert await Speech(path).say('--help "; rm 물고기') == b'RIFF--help "; rm \xeb\xac\xbc\xea\xb3\xa0\xea\xb8\xb0'
    assert asked(path) == ["--stdin --stdout -v ko -s 160"]


async def test_a_sound_that_is_too_long_is_cut(program):
    path = program('cat "$0.wav"')
    Path(f"{path}.wav").write_bytes(b"RIFF" + bytes(2 * SOUND_BYTES_MAX))

    assert await Speech(path).say("x") == b"RIFF" + bytes(SOUND_BYTES_MAX - 4)


async def test_the_same_text_is_spoken_once_and_few_are_kept(program):
    path = program(SPEAKS)
    one = Speech(path)
    await one.say("a")
    await one.say("a")
    for number in range(KEPT_MAX):
        await one.say(str(number))
    await one.say("a")

    assert len(asked(path)) == KEPT_MAX + 2


@pytest.mark.parametrize("script", ["exit 1", "cat >/dev/null; echo no sound", "exec sleep 60"])
async def test_a_program_that_does_not_speak_is_an_error_and_is_gone(program, script, monkeypatch):
    monkeypatch.setattr(speech, "SECONDS_MAX", 0.2)

    with pytest.raises(SpeechError):
        await Speech(program(script)).say("x")


async def test_no_program_is_an_error(tmp_path):
    with pytest.raises(SpeechError, match="FileNotFoundError"):
        await Speech(str(tmp_path / "nothing")).say("x")


async def test_a_flood_is_told_to_come_again(program):
    one = Speech(program("exec sleep 60"))
    waiting = [asyncio.create_task(one.say(str(number))) for number in range(WAITING_MAX)]
    await asyncio.sleep(0)

    with pytest.raises(Busy):
        await one.say("one more")
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)


def test_the_voice_is_that_of_the_letters():
    assert voice_of("thank you 고마워") == "ko"
    assert voice_of("thank you") == "en"
    assert str(SpeechError("too slow")) == "too slow"
