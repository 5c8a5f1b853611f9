from __future__ import annotations

import pytest

from media.hls_writer.classic import Form, classic_playlist, playlist_name, read_playlist_name
from media.hls_writer.errors import NoSuchRendition
from tests.media.hls_writer.test_archive import entry

SEGMENTS = [entry(3), entry(4, discontinuity=True), entry(5, gap=True), entry(6, seconds=2)]


def text(form, segments=SEGMENTS, **options):
    given = {"target": 2, "discontinuity_sequence": 0, "independent": True, "ended": False} | options
    return classic_playlist("source", form, segments, **given).decode()


def test_a_plain_playlist_is_what_any_player_reads():
    assert text(Form.PLAIN, SEGMENTS[:2]) == (
        "#EXTM3U\n#EXT-X-VERSION:6\n#EXT-X-TARGETDURATION:2\n#EXT-X-MEDIA-SEQUENCE:3\n#EXT-X-INDEPENDENT-SEGMENTS\n"
        '#EXT-X-MAP:URI="source_init1.mp4"\n'
        "#EXT-X-PROGRAM-DATE-TIME:2001-09-09T01:46:43.000Z\n#EXTINF:1.00000,\nsource_s3.m4s\n"
        "#EXT-X-DISCONTINUITY\n#EXT-X-PROGRAM-DATE-TIME:2001-09-09T01:46:44.000Z\n#EXTINF:1.00000,\nsource_s4.m4s\n"
    )


def test_a_transport_stream_has_no_init_segment():
    lines = text(Form.TS, SEGMENTS[:2], independent=False, ended=True, discontinuity_sequence=4).splitlines()

    assert "#EXT-X-VERSION:3" in lines
    assert "#EXT-X-DISCONTINUITY-SEQUENCE:4" in lines
    assert "#EXT-X-INDEPENDENT-SEGMENTS" not in lines
    assert not any("MAP" in line for line in lines)
    assert [line for line in lines if not line.startswith("#")] == ["source_t3.ts", "source_t4.ts"]
    assert lines[-1] == "#EXT-X-ENDLIST"


@pytest.mark.parametrize("form", [Form.PLAIN, Form.TS])
def test_a_gap_is_said_in_the_version_that_knows_it(form):
    lines = text(form).splitlines()

    assert "#EXT-X-VERSION:8" in lines
    assert lines[lines.index("#EXT-X-GAP") + 1] == "#EXTINF:1.00000,"


def test_going_back_is_a_delta_for_who_has_the_rest():
    segments = [entry(msn) for msn in range(1, 101)]
    whole, delta = text(Form.DVR, segments), text(Form.DVR, segments, skip=True)

    assert "#EXT-X-SERVER-CONTROL:CAN-SKIP-UNTIL=12,HOLD-BACK=6\n" in whole
    assert "SKIP:" not in whole
    assert "#EXT-X-VERSION:9\n" in delta
    assert "#EXT-X-MEDIA-SEQUENCE:1\n" in delta
    assert "#EXT-X-SKIP:SKIPPED-SEGMENTS=88\n" in delta
    assert delta.count("#EXTINF") == 12
    assert whole.endswith(delta[delta.index("#EXT-X-PROGRAM-DATE-TIME") :])
    assert 'MAP:URI="source_init1.mp4"' in delta


@pytest.mark.parametrize(
    ("form", "count", "ended"), [(Form.DVR, 12, False), (Form.DVR, 100, True), (Form.PLAIN, 100, False)]
)
def test_there_is_no_delta_where_there_is_nothing_to_leave_out(form, count, ended):
    segments = [entry(msn) for msn in range(1, count + 1)]

    assert text(form, segments, ended=ended, skip=True) == text(form, segments, ended=ended)


@pytest.mark.parametrize("form", list(Form))
def test_names_of_playlists_can_be_read_back(form):
    assert read_playlist_name(playlist_name("480p", form)) == ("480p", form)


@pytest.mark.parametrize("name", ["source_", "source_x", "source_dvr_", "_dvr_plain", "source_DVR"])
def test_other_names_mean_nothing(name):
    with pytest.raises(NoSuchRendition):
        read_playlist_name(name)
