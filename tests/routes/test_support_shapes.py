import pytest

from routes import wire
from routes.support_shapes import GOAL_POINTS_MAX, GoalAnswer, SetGoal


@pytest.mark.parametrize("points", [1, GOAL_POINTS_MAX])
def test_a_goal_has_a_title_and_points(points):
    assert wire.read(SetGoal, b'{"title": "x", "points": %d}' % points) == SetGoal("x", points)


@pytest.mark.parametrize("points", [0, -1, GOAL_POINTS_MAX + 1])
def test_a_goal_out_of_reach_is_refused_by_field(points):
    with pytest.raises(wire.WireShape) as refused:
        wire.read(SetGoal, b'{"title": "x", "points": %d}' % points)

    assert refused.value.field == "points"


def test_no_goal_is_null():
    assert wire.write(GoalAnswer(None)) == b'{"goal":null}'
