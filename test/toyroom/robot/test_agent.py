"""The agent of examples/agent, with the true graphs of simulated rooms."""

import sys
from dataclasses import replace

import numpy as np
import pytest
from places import ROOT

pytest.importorskip("mujoco")
pytest.importorskip("unified_planning")

sys.path.insert(0, str(ROOT / "examples" / "agent"))

from acting import Agent
from body import BodyError, Done
from goals import GoalError, check_words, goal_to_pddl
from hand_made import BED, CHAIR, CUP, FLOOR, SMALL_BALL, TABLE
from local_body import LocalBody
from plans import Failures, Planner, PlanningError
from seeing import see_everything, see_truth
from spots import spots
from tasks import Task
from world import Thing, World

from dsflash_ros.toyroom import VOCABULARY
from dsflash_ros.toyroom.physics.simulation import Simulation
from dsflash_ros.toyroom.robot.robot_room import RobotRoom

TABLE_TOP = replace(TABLE, tops=np.array([[-0.4, -0.5, 0.4, 0.5, 0.75]]))
ITEMS = [
    FLOOR,
    TABLE_TOP.at(2.5, 2.0),
    CHAIR.at(4.2, 3.2),
    CUP.at(2.3, 1.8, 0.753),
    CUP.at(2.7, 1.7, 0.753),
    SMALL_BALL.at(2.6, 2.3, 0.753),
    BED.at(1.2, 3.4),
]


class Trial:
    """An agent in a room."""

    def __init__(self, see=see_everything, items=ITEMS):
        simulation = Simulation(items)
        assert simulation.settle()
        self.room, self.world, self.said = RobotRoom(simulation, place=(1.0, 1.0)), World(), []
        self.body = LocalBody(self.room, see, self.world, views=1)
        self.agent = Agent(self.body, self.world, VOCABULARY.classes, self.said.append)
        self.body.watch()


@pytest.fixture
def trial():
    return Trial()


def test_one_thing_is_brought_to_its_place(trial):
    report = trial.agent.solve("cup_3 on chair_2")
    assert report.success and Task((3,), (2,)).is_solved(trial.room)
    assert (report.plans, report.steps) == (2, 4)  # the second has no steps left
    assert trial.said[1] == "plan 1: go-to cup_3, pick cup_3, go-to chair_2, place cup_3 chair_2"


def test_all_things_of_a_class_are_brought(trial):
    assert trial.agent.solve("all cups on the bed").success
    assert Task((3, 4), (6,)).is_solved(trial.room)


def test_nothing_is_done_when_the_goal_holds(trial):
    report = trial.agent.solve("a cup on the table and a ball on a dining table")
    assert report.success and report.steps == 0


def test_a_goal_in_pddl(trial):
    assert trial.agent.solve("(and (on cup_3 chair_2) (on cup_4 bed_6))").success
    assert Task((3,), (2,)).is_solved(trial.room) and Task((4,), (6,)).is_solved(trial.room)


def test_what_was_moved_meanwhile_is_planned_anew(trial):
    original, moved = trial.body.pick, []

    def pick(label, point):
        if not moved:  # somebody takes the cup to the other side of the table
            moved.append(True)
            trial.room.hand.grasp(3, np.array([2.3, 1.8, 1.5]))
            trial.room.hand.release(np.array([2.6, 2.0, 0.75]))
            trial.room._facts = None
        return original(label, point)

    trial.body.pick = pick
    assert trial.agent.solve("cup_3 on chair_2").success
    assert any(
        line.startswith("new plan: pick cup_3 failed: there is no cup") for line in trial.said
    )


def test_with_what_the_camera_sees(need_renderer):
    trial = Trial(see_truth)
    trial.agent.lookout.explore(1)
    assert trial.agent.solve("a cup on the chair").success
    trial.room.close()
    facts = trial.room.facts
    assert facts.rests_on[3, 2] or facts.rests_on[4, 2]


@pytest.mark.parametrize(
    ("goal", "kind", "message"),
    [
        ("cup_99 on chair_2", "goal", "there is no cup_99: the agent knows bed_6"),
        ("(on cup_99 chair_2)", "goal", "there is no cup_99"),
        ("all unicorns on the table", "goal", "there is no class 'unicorns'"),
        ("make me happy", "goal", "is no goal: write such as"),
        ("(on cup_3", "goal", "is no formula"),
        ("(flies cup_3)", "goal", "is no formula"),
        ("the laptop on the table", "not seen", "no laptop was seen"),
        ("chair_2 on dining table_1", "plan", "there is no way to the goal"),
        ("(and (on cup_3 bed_6) (not (on cup_3 bed_6)))", "plan", "there is no way"),
    ],
)
def test_goals_that_name_nothing_or_cannot_be_met(trial, goal, kind, message):
    report = trial.agent.solve(goal)
    assert (report.success, report.kind) == (False, kind)
    assert message in report.message


@pytest.mark.parametrize(
    "goal", ["all unicorns on the table", "unicorn_3 on the table", "happiness", "(on cup_3", ""]
)
def test_goals_that_no_world_could_fulfil_are_known_at_once(goal):
    with pytest.raises(GoalError):
        check_words(goal, VOCABULARY.classes)


@pytest.mark.parametrize(
    ("goal", "formula"),
    [
        ("cup_3 on dining table_1", "(on cup_3 dining-table_1)"),
        ("put cup_3 onto the bed", "(exists (?y - bed) (on cup_3 ?y))"),
        (
            "All balls on a table",
            "(forall (?x - sports-ball) (exists (?y - dining-table) (on ?x ?y)))",
        ),
        ("cup_3 on bed_6 and cup_4 on bed_6", "(and (on cup_3 bed_6) (on cup_4 bed_6))"),
    ],
)
def test_sentences_become_formulas(trial, goal, formula):
    check_words(goal, VOCABULARY.classes)
    assert goal_to_pddl(goal, trial.world, VOCABULARY.classes) == formula


def test_what_cannot_be_reached_ends_after_bounded_attempts(trial):
    attempts = []
    trial.body.go_to = lambda point: attempts.append(point) or Done(False, "out of reach")
    report = trial.agent.solve("cup_3 on chair_2")
    assert (report.success, report.kind) == (False, "plan")
    assert "cup_3 is out of reach" in report.message and len(attempts) < 30


def test_a_body_that_does_not_answer_ends_the_task(trial):
    def hang(_):
        raise BodyError("GoTo timed out")

    trial.body.go_to = hang
    report = trial.agent.solve("cup_3 on chair_2")
    assert (report.success, report.kind, report.message) == (False, "action", "GoTo timed out")


def test_what_the_hand_does_not_find_twice_is_not_there(trial):
    ghost = replace(
        see_everything(trial.room).nodes[3], id=50, track_id=50, position=(2.5, 2.2, 1.5)
    )
    trial.body._see = lambda room: with_node(see_everything(room), ghost)
    trial.body.watch()
    assert "cup_50" in trial.world.things
    assert trial.agent.solve("all cups on the bed").success
    assert sum("pick cup_50 failed" in line for line in trial.said) == 2
    assert Task((3, 4), (6,)).is_solved(trial.room)


def with_node(graph, node):
    return replace(graph, nodes=(*graph.nodes, node))


def test_planners_do_not_share_files(trial, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "output.sas").write_text("of another planner")
    assert Planner().plan(trial.world, Failures(), "(on cup_3 chair_2)")
    assert [path.name for path in tmp_path.iterdir()] == ["output.sas"]
    assert (tmp_path / "output.sas").read_text() == "of another planner"


def test_a_formula_of_other_predicates_is_an_error(trial):
    with pytest.raises(PlanningError, match="is no formula"):
        Planner().plan(trial.world, Failures(), "(likes cup_3 cup_4)")


def test_things_that_are_called_otherwise_now_keep_their_names(trial):
    """A bed that turned out to be a couch, and a cup that has the same number."""
    things = trial.world.things
    bed = next(name for name, thing in things.items() if thing.label == "bed")
    number = bed.rpartition("_")[2]
    things[bed] = replace(things[bed], label="couch")
    things[f"couch_{number}"] = replace(things["chair_2"], name=f"couch_{number}", label="chair")
    goal = f"(on cup_3 {bed})"
    steps = Planner().plan(trial.world, Failures(within_reach=bed), goal)
    assert [(step.action, step.things[-1]) for step in steps] == [
        ("go-to", "cup_3"),
        ("pick", "cup_3"),
        ("go-to", bed),
        ("place", bed),
    ]
    assert Planner().is_valid(steps, trial.world, Failures(), goal)


def test_a_plan_with_a_thing_that_turned_out_to_be_furniture_does_not_hold(trial):
    goal = "(on cup_3 chair_2)"
    steps = Planner().plan(trial.world, Failures(), goal)
    assert Planner().is_valid(steps, trial.world, Failures(), goal)
    trial.world.things["cup_3"] = replace(trial.world.things["cup_3"], label="chair")
    assert not Planner().is_valid(steps, trial.world, Failures(), goal)


def test_spots_keep_away_from_other_things_and_edges():
    table = Thing("dining table_1", "dining table", (2.0, 2.0, 0.4), (1.2, 1.0, 0.8), 0.0)
    other = Thing("bowl_2", "bowl", (2.0, 2.0, 0.85), (0.3, 0.3, 0.1), 0.0)
    cup = Thing("cup_3", "cup", (0.0, 0.0, 0.0), (0.1, 0.1, 0.1), 0.0)
    world = World({thing.name: thing for thing in (table, other, cup)})
    x, y, z = spots(world, cup, table, (0.5, 2.0))[0]
    assert z == pytest.approx(0.8) and abs(x - 2) < 0.6 and abs(y - 2) < 0.5
    assert np.hypot(x - 2, y - 2) > 0.2 and x < 2  # on the robot's side


def test_a_new_track_where_a_thing_was_put_is_that_thing(trial):
    trial.world.took("cup_3")
    trial.world.put((4.2, 3.2, 0.45), ["chair_2"])
    graph = see_everything(trial.room)
    moved = [
        replace(node, track_id=77, position=(4.2, 3.2, 0.5)) if node.id == 3 else node
        for node in graph.nodes
    ]
    trial.world.update(replace(graph, nodes=tuple(moved), relations=()))
    assert "cup_77" not in trial.world.things
    assert trial.world.things["cup_3"].on == {"chair_2"}


def test_without_tracks_things_are_known_again_by_their_places(trial):
    world = World()
    for shift in (0, 5):
        graph = see_everything(trial.room)
        nodes = [replace(node, track_id=None, id=(node.id + shift) % 7) for node in graph.nodes]
        world.update(replace(graph, nodes=tuple(nodes), relations=()))
    assert len(world.things) == len(ITEMS)
