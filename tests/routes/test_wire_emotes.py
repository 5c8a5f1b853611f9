from routes import wire
from routes.wire_emotes import EmoteList, EmoteView


def test_a_list_as_it_is_written():
    emote = EmoteView(code="cat", url="/emotes/x.png", width=28, height=28, house=False)

    written = b'{"emotes":[{"code":"cat","url":"/emotes/x.png","width":28,"height":28,"house":false}]}'
    assert wire.write(EmoteList(emotes=[emote])) == written
