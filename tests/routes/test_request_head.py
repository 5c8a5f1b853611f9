import pytest

from routes.request_head import FIELDS_MAX, HEAD_BYTES_MAX, LENGTH_DIGITS_MAX, Head, Unread, read_head

HOST = b"Host: commeow.example\r\n"
CHROME = (
    b"GET /hls/nabi/7/source.m3u8?_HLS_msn=4&_HLS_part=1 HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nConnection: keep-alive\r\n"
    b'sec-ch-ua: "Chromium";v="142", "Not_A Brand";v="99"\r\nsec-ch-ua-mobile: ?0\r\nAccept: */*\r\n\r\n'
)


def head(fields=HOST, line=b"GET /a HTTP/1.1\r\n"):
    return line + fields + b"\r\n"


def test_a_browsers_head_is_read_whole_byte_by_byte_and_with_what_follows():
    for end in range(len(CHROME)):
        assert read_head(CHROME[:end]) is Unread.NOT_YET, CHROME[:end]
    read = read_head(CHROME)

    assert isinstance(read, Head)
    assert (read.method, read.target) == (b"GET", b"/hls/nabi/7/source.m3u8?_HLS_msn=4&_HLS_part=1")
    assert (read.size, read.fields.body, read.fields.closes) == (len(CHROME), 0, False)
    assert read_head(CHROME + b"GET /") == read
    assert read_head(CHROME, known=read).fields is read.fields


@pytest.mark.parametrize("method", [b"GET", b"HEAD", b"OPTIONS", b"POST", b"PUT", b"PATCH", b"DELETE"])
def test_the_methods_of_our_doors_are_known(method):
    assert read_head(head(line=method + b" /a HTTP/1.1\r\n")).method == method


@pytest.mark.parametrize(
    ("fields", "body", "closes"),
    [
        (HOST, 0, False),
        (HOST + b"Connection: Keep-Alive\r\n", 0, False),
        (HOST + b"connection:close\r\n", 0, True),
        (HOST + b"Content-Length: 12\r\n", 12, False),
        (HOST + b"content-length:\t 12 \t\r\n", 12, False),
        (HOST + b"Content-Length: " + b"9" * LENGTH_DIGITS_MAX + b"\r\n", 10**LENGTH_DIGITS_MAX - 1, False),
        (HOST + b"X-Empty:\r\n", 0, False),
        (HOST + b"".join(b"X-%d: 1\r\n" % number for number in range(FIELDS_MAX - 1)), 0, False),
    ],
)
def test_what_a_head_says_of_its_body_and_its_end(fields, body, closes):
    read = read_head(head(fields)).fields

    assert (read.body, read.closes) == (body, closes)


@pytest.mark.parametrize(
    "data",
    [
        head(b""),  # No Host.
        head(b"Host:\r\n"),
        head(HOST + HOST),
        head(HOST + b"host: other\r\n"),
        head(HOST + b"Content-Length: 1\r\nContent-Length: 2\r\n"),
        head(HOST + b"Content-Length: +1\r\n"),
        head(HOST + b"Content-Length: 1, 1\r\n"),
        head(HOST + b"Content-Length: 0x1\r\n"),
        head(HOST + b"Content-Length:\r\n"),
        head(HOST + b"Content-Length: " + b"1" * (LENGTH_DIGITS_MAX + 1) + b"\r\n"),
        head(HOST + b"Content-Length : 1\r\n"),
        head(HOST + b"Transfer-Encoding: chunked\r\n"),
        head(HOST + b"Transfer-Encoding: identity\r\nContent-Length: 3\r\n"),
        head(HOST + b"Upgrade: websocket\r\nConnection: Upgrade\r\n"),
        head(HOST + b"Connection: upgrade\r\n"),
        head(HOST + b"Connection: keep-alive, close\r\n"),
        head(HOST + b"Expect: 100-continue\r\n"),
        head(HOST + b"Content-Encoding: gzip\r\n"),
        head(HOST + b" folded\r\n"),
        head(HOST + b"no colon\r\n"),
        head(HOST + b": no name\r\n"),
        head(HOST + b"X-Control: \x01\r\n"),
        head(HOST + b"X-Null: \x00\r\n"),
        head(HOST + b"X-Latin: \xe9\r\n"),
        head(HOST + b"".join(b"X-%d: 1\r\n" % number for number in range(FIELDS_MAX))),
        head(line=b"get /a HTTP/1.1\r\n"),
        head(line=b"GET  /a HTTP/1.1\r\n"),
        head(line=b"GET a HTTP/1.1\r\n"),
        head(line=b"GET http://other/a HTTP/1.1\r\n"),
        head(line=b"GET * HTTP/1.1\r\n"),
        head(line=b"GET /a HTTP/1.0\r\n"),
        head(line=b"GET /a HTTP/2.0\r\n"),
        head(line=b"GET /\xe9 HTTP/1.1\r\n"),
        head(line=b"GET /a b HTTP/1.1\r\n"),
        head(line=b"CONNECT /a HTTP/1.1\r\n"),
        head(line=b"\r\nGET /a HTTP/1.1\r\n"),
        b"GET /a HTTP/1.1\nHost: x\n\n",
        b"GET /a HTTP/1.1\r\nHost: x\n",
        b"GET /a HTTP/1.1\r\nHost\rx",
        b"\x16\x03\x01\x02\x00\x01",  # TLS on the wrong port.
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.2\r\n",
    ],
)
def test_what_is_not_of_the_plainest_form_is_foreign(data):
    assert read_head(data) is Unread.FOREIGN


def test_the_length_of_a_head_has_an_end():
    line = b"GET /a HTTP/1.1\r\n" + HOST
    room = HEAD_BYTES_MAX - len(line) - len(b"X: \r\n\r\n")
    longest = line + b"X: " + b"x" * room + b"\r\n\r\n"

    assert len(longest) == HEAD_BYTES_MAX
    assert read_head(longest).size == HEAD_BYTES_MAX
    assert read_head(longest[:-1]) is Unread.NOT_YET
    assert read_head(line + b"X: " + b"x" * (room + 1) + b"\r\n\r\n") is Unread.FOREIGN
    assert read_head((line + b"X: " + b"x" * room * 2)[:HEAD_BYTES_MAX]) is Unread.FOREIGN


def test_fields_that_differ_are_read_anew():
    first = read_head(head())
    second = read_head(head(HOST + b"Connection: close\r\n"), known=first)

    assert second.fields.closes
    assert read_head(head(HOST + HOST), known=first) is Unread.FOREIGN


def test_many_spaces_take_no_time():
    value = b" " * 3000 + b"x"

    assert read_head(head(HOST + b"X: " + value + b"\r\nY: " + value + b"\r\n")).fields.body == 0
