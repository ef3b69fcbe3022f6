"""What the simulated robot can do, and each way in which it fails, in a room made by hand."""

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("mujoco")

from hand_made import CHAIR, CUP, FLOOR, SMALL_BALL, TABLE

from dsflash_ros.errors import ToyroomError
from dsflash_ros.toyroom.physics.simulation import Simulation
from dsflash_ros.toyroom.robot.robot_room import REACH, RobotRoom

TABLE_AT, CUP_INDEX, FIXED = np.array([2.5, 2.0, 0.75]), 3, 5
ITEMS = [
    FLOOR,
    TABLE.at(2.5, 2.0),
    CHAIR.at(4.0, 3.0),
    CUP.at(2.3, 1.8, 0.753),
    SMALL_BALL.at(2.6, 2.3, 0.753),
    replace(CUP, moves=False).at(2.7, 1.8, 0.75),
]
ON_TABLE = (2.5, 2.0, 0.75)


@pytest.fixture
def room():
    simulation = Simulation(ITEMS)
    assert simulation.settle()
    return RobotRoom(simulation, place=(1.0, 2.0))


def cup_of(room):
    return room.simulation.extents()[CUP_INDEX].mean(0)


def fetch(room):
    assert room.run(room.go_to(cup_of(room))).success
    assert room.run(room.pick("cup", cup_of(room))).success


def test_it_goes_where_a_point_is_within_reach_and_looks_at_it(room):
    left = []
    assert room.run(room.go_to(ON_TABLE), left.append).success
    assert np.linalg.norm(room.place - ON_TABLE[:2]) <= REACH
    assert left == sorted(left, reverse=True)
    in_camera = (np.array(ON_TABLE) - room.camera.position) @ room.camera.rotation
    assert np.allclose(in_camera[:2], 0, atol=1e-6)


def test_it_keeps_away_from_furniture(room):
    places = []
    room.run(room.go_to((4.0, 2.0, 0.5)), lambda _: places.append(room.place))
    low, high = room.simulation.extents()[1, :, :2]
    for place in places:
        assert np.linalg.norm(np.maximum(np.maximum(low - place, place - high), 0)) > 0.15


def test_within_reach_only_the_head_turns(room):
    room.run(room.go_to(ON_TABLE))
    before = room.place
    room.run(room.go_to((2.3, 1.8, 0.8)))
    assert np.array_equal(room.place, before)


def test_what_is_too_far_from_all_free_places_is_out_of_reach(room):
    before = room.place
    outcome = room.run(room.go_to((9.0, 9.0, 0.5)))
    assert not outcome.success and "out of reach" in outcome.message
    assert np.array_equal(room.place, before)


@pytest.mark.parametrize("height", [50.0, 1.7, -0.2])
def test_what_the_hand_is_too_low_or_too_high_for_is_out_of_reach(room, height):
    before, point = room.place, (2.5, 2.0, height)
    outcome = room.run(room.go_to(point))
    assert not outcome.success and f"out of reach: {height:.2f} m high" in outcome.message
    assert np.array_equal(room.place, before) and not room.can_reach(point)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("height", [1.2, 0.0])
def test_it_stays_for_a_point_at_its_eye_or_below(room, height):
    before = room.place
    assert room.run(room.go_to((*before, height))).success
    assert np.array_equal(room.place, before)


def test_it_picks_a_cup_and_places_it_on_a_chair(room):
    fetch(room)
    assert room.hand.held == CUP_INDEX and not room.facts.rests_on[CUP_INDEX].any()
    seat = (4.03, 3.0, 0.45)
    assert room.run(room.go_to(seat)).success
    outcome = room.run(room.place_at(seat))
    assert outcome.success and np.allclose(outcome.point, seat, atol=0.02)
    assert room.hand.held is None and room.facts.rests_on[CUP_INDEX, 2]


def test_what_was_picked_is_not_seen_while_it_is_carried(room, need_renderer):
    fetch(room)
    shot = room.observe()
    room.close()
    assert CUP_INDEX not in np.unique(shot.picture.items)


@pytest.mark.parametrize(
    ("label", "point", "message"),
    [
        ("cup", (4.5, 3.5, 0.5), "out of reach: 3.84 m away"),
        ("cup", (1.6, 2.0, 1.9), "1.90 m high"),
        ("cup", (2.5, 2.0, 1.2), "there is no cup"),
        ("cup", (2.6, 2.3, 0.8), "there is no cup, but a sports ball"),
        ("cup", (2.75, 1.8, 0.85), "fastened"),
        ("dining table", ON_TABLE, "fastened, or too large"),
    ],
)
def test_a_pick_fails(room, label, point, message):
    if "out of" not in message:
        room.place = np.array([1.75, 1.9])
    outcome = room.run(room.pick(label, point))
    assert not outcome.success and message in outcome.message
    assert room.hand.held is None


def test_a_full_hand_picks_nothing(room):
    fetch(room)
    outcome = room.run(room.pick("sports ball", (2.6, 2.3, 0.8)))
    assert not outcome.success and "full: it holds a cup" in outcome.message


def test_an_empty_hand_places_nothing(room):
    outcome = room.run(room.place_at(ON_TABLE))
    assert not outcome.success and "empty" in outcome.message


@pytest.mark.parametrize(
    ("point", "message"),
    [((4.5, 3.5, 0.5), "out of reach"), ((2.4, 2.0, 0.55), "taken by a dining table")],
)
def test_a_place_that_is_far_or_taken_leaves_the_thing_in_the_hand(room, point, message):
    fetch(room)
    outcome = room.run(room.place_at(point))
    assert not outcome.success and message in outcome.message
    assert room.hand.held == CUP_INDEX
    assert room.run(room.place_at((2.3, 1.8, 0.75))).success


def test_what_is_placed_beside_the_table_falls_and_says_where_it_rests(room):
    fetch(room)
    beside = (2.0, 1.9, 0.75)
    outcome = room.run(room.place_at(beside))
    assert not outcome.success and "fell off" in outcome.message
    assert outcome.point[2] < 0.1 and room.facts.rests_on[CUP_INDEX, 0]


@pytest.mark.parametrize("point", [(1, 2), (1, 2, np.nan), "here"])
def test_a_point_has_three_finite_coordinates(room, point):
    with pytest.raises(ToyroomError, match="three finite coordinates"):
        room.run(room.go_to(point))


def test_a_room_without_a_free_place_is_refused():
    with pytest.raises(ToyroomError, match="no room to drive"):
        RobotRoom(Simulation([FLOOR, TABLE.at(2.5, 2.0), *full_of_chairs()]))


def full_of_chairs():
    return [CHAIR.at(0.3 + 0.5 * x, 0.3 + 0.5 * y) for x in range(10) for y in range(8)]
