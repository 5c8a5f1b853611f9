import json

from routes import wire
from routes.access import Who
from routes.doors import HttpDoor, openapi


async def _handle(_request):
    raise AssertionError


DOORS = [
    HttpDoor(
        method="POST",
        path="/api/members",
        who=Who.ANYONE,
        handle=_handle,
        words="Sign up.",
        body=wire.SignUp,
        answer=wire.SignedUp,
        status=201,
    ),
    HttpDoor(method="GET", path="/api/members/me", who=Who.MEMBER, handle=_handle, words="Who am I?", answer=wire.Me),
    HttpDoor(
        method="GET",
        path=r"/hls/{nickname}/{broadcast_id:[0-9]{1,18}}",
        who=Who.ANYONE,
        handle=_handle,
        words="A part.",
    ),
    HttpDoor(method="POST", path="/x", who=Who.COOKIE, handle=_handle, words="By cookie.", status=204),
]


def test_paths_are_written_without_patterns():
    assert DOORS[2].plain_path == "/hls/{nickname}/{broadcast_id}"


def test_the_document_has_every_door_with_its_shapes():
    document = json.loads(json.dumps(openapi(DOORS, "0.1.0")))

    sign_up = document["paths"]["/api/members"]["post"]
    assert document["openapi"] == "3.1.0"
    assert sign_up["requestBody"]["content"]["application/json"]["schema"] == {"$ref": "#/components/schemas/SignUp"}
    assert sign_up["responses"]["201"]["content"]["application/json"]["schema"]["$ref"].endswith("/SignedUp")
    assert document["components"]["schemas"]["SignUp"]["required"] == ["login_id", "password", "nickname"]
    assert "security" not in sign_up
    assert document["paths"]["/api/members/me"]["get"]["security"] == [{"bearer": []}]
    assert document["paths"]["/x"]["post"]["security"] == [{"cookie": []}]


def test_path_parameters_are_listed():
    parameters = openapi(DOORS, "0")["paths"]["/hls/{nickname}/{broadcast_id}"]["get"]["parameters"]

    assert [parameter["name"] for parameter in parameters] == ["nickname", "broadcast_id"]
