"""Which goals the agent of examples/agent takes, before and after it knows its world."""

import sys

import pytest
from places import ROOT

pytest.importorskip("mujoco")
pytest.importorskip("unified_planning")

sys.path.insert(0, str(ROOT / "examples" / "agent"))

from goals import GoalError, check_words, goal_to_pddl
from plans import Failures, Planner
from world import Thing, World

from dsflash_ros.toyroom import VOCABULARY

THINGS = (("cup_23", "cup"), ("bed_2", "bed"), ("dining table_3", "dining table"))


@pytest.fixture
def world():
    things = {name: Thing(name, label, (0, 0, 0), (1, 1, 1), 0.0) for name, label in THINGS}
    return World(things)


def refuse(goal, message):
    """`check_words` says this, in words of its own."""
    with pytest.raises(GoalError, match=message) as caught:
        check_words(goal, VOCABULARY.classes)
    assert "AssertionError" not in str(caught.value)


@pytest.mark.parametrize(
    "goal",
    [
        "(exists (?x - cup) (on ?x bed_2))",
        "(forall (?x - bottle) (on ?x dining-table_3))",
        "(forall (?x - thing) (on ?x bed_2))",
        "(holding cup_23)",
        "(and (on cup_23\n bed_2) (not (within-reach dining-table_3)))",
    ],
)
def test_a_formula_may_have_variables_and_all_predicates(world, goal):
    check_words(goal, VOCABULARY.classes)
    assert goal_to_pddl(goal, world, VOCABULARY.classes) == goal
    Planner().check(goal, world)


@pytest.mark.parametrize("goal", ["(on)", "(cup_23)", "(on ?x ?y)", "(flies cup_23)", "(on cup_23"])
def test_what_is_no_formula_is_known_at_once(goal):
    refuse(goal, r"is no formula such as \(on cup_7 bed_2\)")


@pytest.mark.parametrize(
    "goal",
    [
        "all persons on the bed",
        "person_4 on the bed",
        "(exists (?x - person) (on ?x bed_2))",
        "(on person_4 bed_2)",
    ],
)
def test_classes_that_robot_yaml_does_not_have_are_in_no_goal(world, goal):
    refuse(goal, r"there is no class 'persons?' for goals; there are backpack")
    world.things["person_4"] = Thing("person_4", "person", (0, 0, 0), (1, 1, 1), 0.0)
    with pytest.raises(GoalError, match=r"there is no class 'persons?' for goals"):
        goal_to_pddl(goal, world, VOCABULARY.classes)


@pytest.mark.parametrize(
    ("goal", "steps"),
    [
        ("(= cup_23 cup_23)", 0),
        ("(forall (?x - cup) (= ?x ?x))", 0),
        ("(and (= cup_23 cup_23) (holding cup_23))", 2),
    ],
)
def test_what_is_true_takes_no_steps(world, goal, steps):
    assert len(Planner().plan(world, Failures(), goal)) == steps
