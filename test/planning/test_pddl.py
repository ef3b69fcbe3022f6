import random
import re

import pytest
from made_graphs import graph_of, node

from dsflash_ros.errors import ConfigError
from dsflash_ros.graph.vocabulary import Vocabulary
from dsflash_ros.planning.pddl import pddl_names, to_pddl
from dsflash_ros.planning.pddl_mapping import PddlMapping, domain_pddl

HOSTILE = [
    *('', ' ', '"', "'", "\n", "\x00", "(", ")", ";", "a b", "a/b", "a-b", "a_b", "A B", "3d", "-"),
    *("object", "and", "not", "define", "movable", "on", "elsewhere", "cup_1", "cup", "日本", "é"),
    *(") (:goal (and))) ; ", "?x", "- object", "#|", "x" * 300, "cup\u200b", "Straße", "\ud800"),
]  # fmt: skip


@pytest.fixture(scope="module")
def reader():
    """Reads problems of the package's domain with unified-planning's own reader."""
    pytest.importorskip("unified_planning")
    from unified_planning.io import PDDLReader

    pddl = PDDLReader()
    return lambda text, domain=None: pddl.parse_problem_string(domain or domain_pddl(), text)


def random_graph(choose):
    """Up to six nodes with hostile labels, some of them with tracks whose numbers are others' ids;
    relations with hostile predicates, and some that the domain knows.
    """
    known = ["on", "in", "enclosing", "holding", "Standing_On"]
    count = choose.randrange(7)
    nodes = [
        node(i, choose.choice(HOSTILE), track_id=choose.choice((None, *range(3))))
        for i in range(count)
    ]
    relations = [
        (choose.randrange(9), choose.choice(known + HOSTILE), choose.randrange(9), 0.5)
        for _ in range(choose.randrange(8))
    ]
    return graph_of(nodes, relations)


def test_the_planners_reader_accepts_500_random_graphs_with_hostile_labels(reader):
    domain = domain_pddl()
    domain = domain[: domain.index("(:action")] + ")"  # or it would be read for a minute
    choose = random.Random(13)
    for number in range(500):
        graph = random_graph(choose)
        name = choose.choice(HOSTILE)
        names = pddl_names(graph)
        goal = "(and)" if not names else f"(on {choose.choice([*names.values()])} elsewhere)"
        problem = reader(to_pddl(graph, name, goal), domain)
        assert {one.name for one in problem.all_objects} == {*names.values(), "elsewhere"}, number
        assert len(set(names.values())) == len(graph.nodes)
        assert len(problem.goals) == bool(names)


def test_a_room_of_the_toy_world(room, reader):
    problem = reader(room.to_pddl(name="a room"))
    assert problem.name == "a-room"
    told = {str(fact) for fact, value in problem.explicit_initial_values.items() if value.is_true()}
    assert {
        "on(cup_28, dining-table_11)",
        "holds(person_19, teddy-bear_20)",
        "in(teddy-bear_23, shelf_63)",  # from in and from enclosing
        "on(person_19, chair_12)",  # from sitting on
        "beside(bowl_29, book_30)",
        "attached(paper-merged_68, wall-other-merged_69)",
        "near(elsewhere)",
        "hand-empty",
    } <= told
    assert not any("front" in fact for fact in told)  # which the mapping does not have
    types = {one.name: one.type.name for one in problem.all_objects}
    assert (types["cup_28"], types["shelf_63"]) == ("movable", "support")
    assert (types["person_19"], types["potted-plant_38"]) == ("person", "other")


def test_every_predicate_of_the_mapping(reader):
    mapping = PddlMapping.load()
    for predicate, fact in mapping.predicates.items():
        text = graph_of([node(1), node(2, "bowl")], [(1, predicate, 2, 0.9)]).to_pddl(init=())
        expected = fact.replace("?subject", "cup_1").replace("?object", "bowl_2")
        assert f"(:init\n    {expected})" in text
        reader(text)


@pytest.mark.parametrize("engine", ["pyperplan", "fast-downward"])
def test_planners_solve_a_task_in_a_room(room, reader, engine):
    from unified_planning.shortcuts import OneshotPlanner, PlanValidator, get_environment

    get_environment().credits_stream = None
    goal = "(and (on cup_28 shelf_63) (on teddy-bear_23 dining-table_11))"
    problem = reader(room.to_pddl(goal=goal))
    with OneshotPlanner(name=engine) as planner:
        plan = planner.solve(problem).plan
    assert {"pick", "pick-out", "place"} <= {action.action.name for action in plan.actions}
    with PlanValidator(problem_kind=problem.kind) as validator:
        assert validator.validate(problem, plan)


def test_what_the_robot_holds_is_told_instead_of_the_mappings_facts(room, reader):
    text = room.to_pddl(init=["(in-hand cup_28)", "(near dining-table_11)"])
    assert "(in-hand cup_28)" in text and "hand-empty" not in text
    reader(text)


def test_names_that_collide_get_other_numbers():
    graph = graph_of([node(1), node(5, track_id=1), node(2, "a b"), node(3, "a/b", track_id=2)])
    assert list(pddl_names(graph).values()) == ["cup_1", "cup_1-2", "a-b_2", "a-b_2-2"]
    mapping = PddlMapping.from_yaml("{domain: d, types: {cup: cup_1}, others: Cup_1-2}")
    assert pddl_names(graph, mapping)[1] == "cup_1-3"


def test_a_mapping_of_ones_own(room, tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(
        "domain: kitchen\n"
        "types: {cup: vessel, Bowl: vessel, dining_table: place}\n"
        "predicates:\n"
        "  on: (supports ?object ?subject)\n"
        "  beside: by\n"
        "init: [(lit)]\n"
    )
    text = room.to_pddl(mapping=PddlMapping.load(path))
    assert "(:domain kitchen)" in text
    assert set(re.findall(r"(\S+) - (\S+?)\)?\n", text)) == {
        ("cup_28", "vessel"),
        ("cup_31", "vessel"),
        ("bowl_29", "vessel"),
        ("dining-table_11", "place"),
    }
    assert "(lit)" in text and "(supports dining-table_11 bowl_29)" in text
    assert "book" not in text and "rug" not in text  # classes without a type


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "expected a mapping with the keys domain, types"),
        ("[1, 2]", "expected a mapping"),
        ("types: {}", "expected a mapping"),
        ("{domain: d, tipes: {}}", "expected a mapping with the keys"),
        ("domain: [", "is no YAML"),
        ("domain: " + "[" * 1500, "is no YAML"),
        ("domain: my domain", "'my domain' cannot be a name in PDDL"),
        ("{domain: d, others: object}", "'object' cannot be a name"),
        ("{domain: d, types: [cup]}", "types must be lines of the form name: name"),
        ("{domain: d, types: {cup: [a]}}", "types must be lines"),
        ("{domain: d, types: {cup: 3d}}", "'3d' cannot be a name"),
        ("{domain: d, predicates: {on: not}}", "'not' cannot be a name"),
        ("{domain: d, predicates: {on: '(on ?x ?y)'}}", "a fact such as (in ?object ?subject)"),
        ("{domain: d, predicates: {on: '(on) (off)'}}", "a fact such as"),
        ("{domain: d, predicates: {on: '(not ?subject ?object)'}}", "'not' cannot be a name"),
        ("{domain: d, predicates: {on: '(AND ?subject ?object)'}}", "'AND' cannot be a name"),
        ("{domain: d, predicates: {on: '(on ?object either)'}}", "'either' cannot be a name"),
        ("{domain: d, init: [(and)]}", "'and' cannot be a name"),
        ("{domain: d, init: [(forall x)]}", "'forall' cannot be a name"),
        ("{domain: d, init: [(near at)]}", "'at' cannot be a name"),
        ("{domain: d, types: {cup: a, Cup: b}}", "types has 'cup' twice, as 'a' and 'b'"),
        ("{domain: d, types: {tea_cup: a, tea cup: b}}", "types has 'tea cup' twice"),
        ("{domain: d, predicates: {on: on, ON: off}}", "predicates has 'on' twice"),
        ("{domain: d, init: (lit)}", "init must be a list"),
        ("{domain: d, init: [lit]}", "no fact such as (hand-empty)"),
        ("{domain: d, init: ['(near ?subject)']}", "no fact such as"),
        ("!!python/object/apply:os.system [true]", "expected a mapping"),
    ],
)
def test_mappings_that_cannot_be(tmp_path, text, problem):
    path = tmp_path / "mapping.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError) as error:
        PddlMapping.load(path)
    assert problem in str(error.value) and "\n" not in str(error.value)


def test_at_is_a_predicate_of_many_domains(reader):
    mapping = PddlMapping.from_yaml(
        "{domain: d, others: place, predicates: {on: at, in: '(at ?object ?subject)'}}"
    )
    graph = graph_of([node(1), node(2)], [(1, "on", 2, 0.9), (1, "in", 2, 0.9)])
    domain = "(define (domain d) (:types place) (:predicates (at ?x ?y - place)))"
    problem = reader(graph.to_pddl(mapping=mapping), domain)
    assert len(problem.explicit_initial_values) == 2


def test_the_same_said_twice_is_no_mistake():
    assert PddlMapping.from_yaml("{domain: d, types: {Cup: a, cup: a}}").types == {"cup": "a"}


def test_a_mapping_that_is_not_there(tmp_path):
    with pytest.raises(ConfigError, match="cannot read the mapping"):
        PddlMapping.load(tmp_path / "none.yaml")
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="cannot read the mapping"):
        PddlMapping.load(tmp_path / "binary.yaml")


@pytest.mark.parametrize("goal", ["", "on a b", "(on a b", "(a) (b)", "(a))", "(a) ; (b)", ")("])
def test_goals_that_are_no_expression(room, goal):
    with pytest.raises(ConfigError, match="expected PDDL in brackets"):
        room.to_pddl(goal=goal)
    with pytest.raises(ConfigError, match="expected PDDL in brackets"):
        room.to_pddl(init=[goal])


def test_the_mapping_knows_the_movable_things_of_the_toy_world():
    mapping, toyroom = PddlMapping.load(), Vocabulary.load("toyroom")
    fixed = {"person", "chair", "couch", "bed", "dining table", "potted plant", "tv"}
    movable = {name for name in toyroom.things if mapping.type_of(name) == "movable"}
    assert movable == set(toyroom.things) - fixed
    known = {name for vocabulary in (toyroom, Vocabulary.psg()) for name in vocabulary.classes}
    assert set(mapping.types) <= known
