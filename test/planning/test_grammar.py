import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_graphs import node
from places import ROOT

from dsflash_ros.errors import DSFlashError, QueryError
from dsflash_ros.planning.grammar import KEYWORDS, MOST_CHARACTERS, parse
from dsflash_ros.planning.known_words import written
from dsflash_ros.planning.query import read_question
from dsflash_ros.planning.question import ATTRIBUTES, ORDERS, plain


@pytest.mark.parametrize(
    ("text", "problem", "place"),
    [
        ("", "expected a variable, a class or a number", ">>>"),
        ("  ", "expected a variable", ">>>"),
        ("?x on", "expected the relation's object", "?x on>>>"),
        ("?x on and ?y", "expected the relation's object", "?x on >>>and"),
        ("?x standing on ?y", "written with _ or in quotes, as in standing_on", "on >>>?y"),
        ("?x on dining table#3", "written with _ or in quotes", "dining >>>table"),
        ("nearest cup", "a variable to order by, as in nearest ?x:cup", "nearest >>>cup"),
        ("?x.size < 3", "expected one of score, distance,", "?x.>>>size"),
        ("?x.score ~ 3", "'~' means nothing here", "?x.score >>>~"),
        ("?x.score 3", "expected one of <= >= != < > =", "?x.score >>>3"),
        ("?x.score < ?y", "expected a number", "< >>>?y"),
        ("?x.score < nan", "expected a number", "< >>>nan"),
        ("?x.score < 1e9", "numbers are like 3 or 0.25", "< >>>1e9"),
        ("cup.score < 1", "expected and, limit, the end, or a predicate", "cup>>>.score"),
        ("?x on ?y with 0.5", "as in ?x on ?y with score > 0.5", "with >>>0.5"),
        ("(?x on ?y)", "brackets belong behind not", ">>>(?x"),
        ("not (?x on ?y", "')' that ends the brackets", "?y>>>"),
        ("not", "expected a variable", "not>>>"),
        ("?x limit 0", "a number from 1 to 1000 after limit", "limit >>>0"),
        ("?x limit 1001", "a number from 1 to 1000", "limit >>>1001"),
        ("?x limit 2.5", "a number from 1 to 1000", "limit >>>2.5"),
        ("?x limit 3 and ?y", "expected and, limit, the end", "3 >>>and"),
        ("?x:", "expected a class", "?x:>>>"),
        ("?x:cup|", "expected a class", "|>>>"),
        ("?x on|?y ?z", "expected a predicate", "on|>>>?y"),
        ("?x:and", "expected a class", ":>>>and"),
        ("#", "a number of a node belongs behind '#'", ">>>#"),
        ("?x#9999999999", "a number of a node belongs", "?x>>>#"),
        ('?x on "table', "ends with a quote", 'on >>>"'),
        ('?x on ""', "must not be empty", 'on >>>"'),
        ("3cup on table", 'in quotes, as in "3d map"', ">>>3cup"),
        ("?x on\n\ttable\x00", "'\\x00' means nothing here", "\\n\\ttable>>>\\x00"),
        ("?x; import os", "';' means nothing here", "?x>>>;"),
        ("not " * 5 + "?x", "nested at most 4 deep", ">>>not ?x"),
        (" and ".join(["?x"] * 17), "at most 16 conditions", ">>>?x"),
        ("?x" * 1000, "has 2000 characters; at most 1000 are read", ""),
        ("limit 3", "expected a variable", ">>>limit"),
    ],
)
def test_malformed_questions_are_refused_with_place_and_remedy(text, problem, place):
    with pytest.raises(QueryError) as error:
        parse(text)
    assert problem in str(error.value)
    assert place in str(error.value)
    assert len(str(error.value)) < 400 and "\n" not in str(error.value)


@pytest.mark.parametrize("thing", [None, 3, b"?x", ["?x"]])
def test_what_is_no_text(thing):
    with pytest.raises(QueryError, match="a question is a text"):
        read_question(thing)


WORDS = [*KEYWORDS, *ATTRIBUTES, "?x", "?", "?y:cup", "on", "#3", '"a b"', "\\", '"', "0.5", "é"]


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=80) | st.lists(st.sampled_from([*WORDS, *"().:|<3"])).map(" ".join))
def test_any_text_is_read_or_refused(text):
    try:
        question = parse(text)
    except DSFlashError as error:
        assert str(error)
    else:
        assert question.text == text


@pytest.mark.parametrize("text", ['"' * 999, "(" * 999, "?x " + "." * 900, "\\" * 999, "a" * 999])
def test_long_nonsense_takes_no_time(text):
    with pytest.raises(QueryError):
        parse(text + "%")


@settings(max_examples=200, deadline=None)
@given(st.text(min_size=1, max_size=20).filter(lambda text: text == text.strip()))
def test_any_label_can_be_written(label):
    question = parse(f"?x:{written(label)}")
    assert [word.name for word in question.words] == [plain(label)]
    (tests,) = question.conditions.tests.values()
    assert tests[0].holds(node(1, label))


def test_the_page_has_the_words_of_the_grammar():
    page = (ROOT / "docs/answers.md").read_text()
    ebnf = page[page.index("query ") : page.index("```", page.index("query "))]
    quoted = set(re.findall(r'"([a-z]+)"', ebnf))
    assert quoted == {*KEYWORDS, *ATTRIBUTES}
    assert set(ORDERS) <= quoted and str(MOST_CHARACTERS) in page.replace(",", "")
