"""Texts of questions to `Question`s. docs/answers.md has the grammar, and says what it means."""

import re
from functools import lru_cache

from dsflash_ros.errors import QueryError
from dsflash_ros.planning.question import (
    ATTRIBUTES,
    COMPARISONS,
    ORDERS,
    ClassTest,
    Conjunction,
    NodeTest,
    NumberTest,
    Question,
    RelationPattern,
    Sameness,
    ValueTest,
    Word,
    plain,
)
from dsflash_ros.planning.question_tokens import Token, refusal, tokens

MOST_CHARACTERS = 1000
MOST_CONDITIONS = 16
MOST_NESTED = 4
MOST_ANSWERS = 1000
"""How large a question may be, how deep its negations, and how many answers it may ask for."""

KEYWORDS = ("and", "where", "not", "with", "limit", *ORDERS)
"""Words that are no names, unless they stand in quotes."""

_SCORE = "score"


@lru_cache(maxsize=256)
def parse(text: str) -> Question:
    """Read a question.

    Raises `QueryError` when that is not possible; it says where, and what would be right.
    """
    if len(text) > MOST_CHARACTERS:
        raise QueryError(
            f"the question has {len(text)} characters; at most {MOST_CHARACTERS} are read"
        )
    return _Parser(text).question()


class _Parser:
    """Recursive descent; each method reads what it is called after."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = tokens(text)
        self._next = self._conditions = self._unnamed = self._depth = 0
        self._words: list[Word] = []

    def question(self) -> Question:
        top = _Scope()
        order = self._keyword(*ORDERS)
        ordered = self._peek()
        if order and ordered.kind != "variable":
            raise self._wrong(f"expected a variable to order by, as in {order} ?x:cup")
        self._conjunction(top)
        limit = self._limit() if self._keyword("limit") else None
        if self._peek().kind != "end":
            raise self._wrong("expected and, limit, the end, or a predicate such as on")
        variables = tuple(name for name in top.tests if not name.startswith("?"))
        return Question(
            text=self._text,
            variables=variables,
            conditions=top.conjunction(),
            order=(order, ordered.text[1:]) if order else None,
            limit=limit,
            words=tuple(self._words),
        )

    def _limit(self) -> int:
        token = self._take("value")
        if token is None or not token.text.isdigit() or not 1 <= int(token.text) <= MOST_ANSWERS:
            self._next -= token is not None
            raise self._wrong(f"expected a number from 1 to {MOST_ANSWERS} after limit")
        return int(token.text)

    def _conjunction(self, scope: "_Scope") -> None:
        self._condition(scope)
        while self._keyword("and", "where"):
            self._condition(scope)

    def _condition(self, scope: "_Scope") -> None:
        self._conditions += 1
        if self._conditions > MOST_CONDITIONS:
            raise self._wrong(f"a question has at most {MOST_CONDITIONS} conditions")
        if self._keyword("not"):
            scope.negations.append(self._negated())
            return
        if self._sign("("):
            raise self._wrong("brackets belong behind not, as in not (?a on ?b and ?b:table)", 1)
        subject_token = self._peek()
        subject = self._term(scope)
        if subject_token.kind == "variable" and self._sign("."):
            scope.add(subject, self._value_test())
        elif (sign := self._peek()).text in ("=", "!=") and sign.kind == "sign":
            self._next += 1
            scope.sames.append(Sameness(subject, self._term(scope), sign.text == "="))
        elif self._is_name() or self._peek().kind == "any":
            self._relation(subject, scope)

    def _negated(self) -> Conjunction:
        inner = _Scope()
        self._depth += 1
        if self._depth > MOST_NESTED:
            raise self._wrong(f"negations are nested at most {MOST_NESTED} deep", 1)
        if self._sign("("):
            self._conjunction(inner)
            if not self._sign(")"):
                raise self._wrong("expected and, or ')' that ends the brackets")
        else:
            self._condition(inner)
        self._depth -= 1
        return inner.conjunction()

    def _relation(self, subject: str, scope: "_Scope") -> None:
        predicates = frozenset() if self._take("any") else self._names("predicate")
        token = self._peek()
        if token.kind not in ("variable", "any", "number") and not self._is_name():
            raise self._wrong("expected the relation's object, as in ?x on table#3")
        object_ = self._term(scope)
        comparison = (">=", 0.0)
        if self._keyword("with"):
            if (word := self._take("word")) is None or word.text != _SCORE:
                self._next -= word is not None
                raise self._wrong("expected score, as in ?x on ?y with score > 0.5")
            comparison = self._comparison()
        scope.patterns.append(RelationPattern(subject, predicates, object_, *comparison))
        if token.kind == "word" and (self._is_name() or self._peek().kind in ("variable", "any")):
            raise self._wrong(
                "expected and, with, limit or the end; names of several words are written with _ "
                "or in quotes, as in standing_on"
            )

    def _term(self, scope: "_Scope") -> str:
        """A variable, a class or a number, with what is said of it. Returns the variable."""
        tests: list[NodeTest] = []
        if variable := self._take("variable"):
            name = variable.text[1:]
            if self._sign(":"):
                tests.append(ClassTest(self._names("class")))
        else:
            self._unnamed += 1
            name = f"?{self._unnamed}"
            if self._is_name():
                tests.append(ClassTest(self._names("class")))
            elif not self._take("any") and self._peek().kind != "number":
                raise self._wrong(
                    "expected a variable, a class or a number, as ?x, cup, table#3 or #3"
                )
        if number := self._take("number"):
            tests.append(NumberTest(int(number.text)))
        scope.add(name, *tests)
        return name

    def _names(self, kind: str) -> frozenset[str]:
        """One or more classes or predicates with | between them."""
        found = [self._name(kind)]
        while self._sign("|"):
            found.append(self._name(kind))
        return frozenset(found)

    def _name(self, kind: str) -> str:
        if not self._is_name():
            raise self._wrong(f"expected a {kind}")
        token = self._peek()
        self._next += 1
        text = re.sub(r"\\(.)", r"\1", token.text) if token.kind == "quoted" else token.text
        self._words.append(Word(kind, plain(text), token.position))
        return plain(text)

    def _value_test(self) -> ValueTest:
        attribute = self._take("word")
        if attribute is None or attribute.text not in ATTRIBUTES:
            self._next -= attribute is not None
            raise self._wrong(f"expected one of {', '.join(ATTRIBUTES)}")
        return ValueTest(attribute.text, *self._comparison())

    def _comparison(self) -> tuple[str, float]:
        sign = self._take("sign")
        if sign is None or sign.text not in COMPARISONS:
            self._next -= sign is not None
            raise self._wrong(f"expected one of {' '.join(COMPARISONS)}")
        if (value := self._take("value")) is None:
            raise self._wrong("expected a number, as in 0.5")
        return sign.text, float(value.text)

    def _peek(self) -> Token:
        return self._tokens[self._next]

    def _take(self, kind: str) -> Token | None:
        """The next token, if it is of that kind."""
        token = self._peek()
        if token.kind != kind:
            return None
        self._next += 1
        return token

    def _at(self, *texts: str, kind: str = "word") -> bool:
        token = self._peek()
        return token.kind == kind and token.text in texts

    def _keyword(self, *words: str) -> str:
        """The next word, if it is one of these; else nothing."""
        return self._take("word").text if self._at(*words) else ""

    def _sign(self, text: str) -> bool:
        return self._at(text, kind="sign") and self._take("sign") is not None

    def _is_name(self) -> bool:
        token = self._peek()
        return token.kind == "quoted" or (token.kind == "word" and token.text not in KEYWORDS)

    def _wrong(self, problem: str, back: int = 0) -> QueryError:
        token = self._tokens[self._next - back]
        return refusal(self._text, token.position, problem)


class _Scope:
    """A conjunction while it is read."""

    def __init__(self) -> None:
        self.tests: dict[str, list[NodeTest]] = {}
        self.patterns: list[RelationPattern] = []
        self.sames: list[Sameness] = []
        self.negations: list[Conjunction] = []

    def add(self, variable: str, *tests: NodeTest) -> None:
        self.tests.setdefault(variable, []).extend(tests)

    def conjunction(self) -> Conjunction:
        return Conjunction(
            {name: tuple(tests) for name, tests in self.tests.items()},
            tuple(self.patterns),
            tuple(self.sames),
            tuple(self.negations),
        )
