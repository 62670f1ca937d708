"""Every sentence for people exists in English and Chinese, and no translation is left over."""

import ast
import tomllib
from collections.abc import Iterator
from pathlib import Path
from string import Formatter

import fivefold
from fivefold.core import errors
from fivefold.core.text import chinese

HOME = Path(fivefold.__file__).parent
ERRORS = {
    n
    for n, c in vars(errors).items()
    if isinstance(c, type) and issubclass(c, errors.FivefoldError)
}
SPEAKERS = ERRORS | {"Text", "text", "translate"}


def sentences(tree: ast.AST) -> Iterator[str]:
    """Yield each literal sentence in calls of `Text`, `text`, `translate` and the errors, `mend=` included."""
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Call)
            and getattr(node.func, "id", getattr(node.func, "attr", "")) in SPEAKERS
        ):
            given = [*node.args[:1], *(k.value for k in node.keywords if k.arg == "mend")]
            yield from (n for g in given for n in literals(g) if n)


def literals(node: ast.AST) -> Iterator[str]:
    """Yield the strings an expression may evaluate to (both sides of an `if`)."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, ast.IfExp):
        yield from literals(node.body)
        yield from literals(node.orelse)


SPOKEN = {
    s for p in HOME.glob("**/*.py") for s in sentences(ast.parse(p.read_text(encoding="utf-8")))
}


def names(template: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(template) if name}


def test_every_sentence_has_its_chinese():
    assert sorted(SPOKEN - chinese().keys()) == []


def test_both_languages_state_the_same_facts():
    assert [e for e, z in chinese().items() if names(e) != names(z)] == []


def test_no_sentence_is_translated_in_two_ways():
    seen: dict[str, set[str]] = {}
    for path in HOME.glob("**/zh.toml"):
        for english, words in tomllib.loads(path.read_text(encoding="utf-8")).items():
            seen.setdefault(english, set()).add(words)
    assert {e: w for e, w in seen.items() if len(w) > 1} == {}
