"""The language that CONTRIBUTING.md asks for, held over source, messages and pages: standard terms instead of a dialect of our own."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

TOP = Path(__file__).parents[1]
PACKAGES = ("churn", "features", "insights", "models", "seeds", "serving", "training")
SOURCES = sorted(path for package in PACKAGES for path in (TOP / package).rglob("*.py"))
PAGES = sorted([*TOP.glob("*.md"), *(TOP / "docs").rglob("*.md")])
HISTORY = {"CHANGELOG.md"}  # names the former words

# phrase to what is written instead
PHRASES = {
    r"learnt": "learned, fitted or trained",
    r"beside": "compared with, next to, in addition to",
    r"(?:left|leave[sn]?|leaving) out": "excluded",
    r"(?:kept|keeps?|keeping) away from": "excluded, unaffected by",
    r"looked at": "used, checked",
    r"drawn (?:again|by|from)": "sampled",
    r"fewest|knobs?|mend(?:s|ed|ing)?": "minimum, setting, fix",
    r"stand(?:s|ing)? in for": "replaces, takes the place of",
    r"asked horizon": "target horizon",
    r"(?<!there )is no (?:bot|category|cause|date|feature|leak|model|number|outage|part|reason|rule|user)": "is not a ...",
}
VERB_FORMS = ["Asked", "Drawn", "Found", "Kept", "Known", "Learnt", "Left", "Said", "Seen", "Sent", "Told"]
PARTICIPLE = re.compile(rf"_?(?:[A-Z][a-z]*[^e]ed|{'|'.join(VERB_FORMS)})")

# what is still to be renamed; nothing is added here
STILL_THERE = {
    ("churn/results/data.py", "stands in for"),
    ("churn/settings.py", "Loaded"),
    ("features/catalogue/definition.py", "Derived"),
    ("features/catalogue/definition.py", "Windowed"),
    ("features/log/formats.py", "Mapped"),
}


def phrases_in(text: str) -> list[str]:
    """The banned phrases of a text, also where a line breaks inside one. Words in quotes or backticks, such as saved keys, are code."""
    without_code = re.sub(r"``?[^`\n]+``?|(?<!\")\"\w+\"", "", text)
    joined = re.sub(r"\"?\s*\n(?:[\s#*|]|f?\"(?!\"))*", " ", without_code)
    one_line = re.sub(r"\s+", " ", joined)
    found = re.finditer(rf"\b(?:{'|'.join(PHRASES)})\b", one_line, re.IGNORECASE)
    return [one[0].lower() for one in found]


def participle_names_in(source: str) -> list[str]:
    """Classes and type aliases whose whole name is a participle."""
    return [name for name in _types(ast.parse(source)) if PARTICIPLE.fullmatch(name)]


def _types(tree: ast.Module) -> Iterator[str]:
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            yield from (target.id for target in targets if isinstance(target, ast.Name))


def page_text(path: Path) -> str:
    """A page, without the passage of CONTRIBUTING.md that lists the phrases."""
    return re.sub(r"Learned or fitted, not learnt.*?(?=\n\* )", "", path.read_text(), flags=re.DOTALL)


def found_in(path: Path) -> set[tuple[str, str]]:
    name, is_source = path.relative_to(TOP).as_posix(), path.suffix == ".py"
    text = path.read_text() if is_source else page_text(path)
    return {(name, word) for word in [*phrases_in(text), *(participle_names_in(text) if is_source else ())]}


def test_sources_and_messages_are_written_in_standard_terms():
    assert sorted({one for path in SOURCES for one in found_in(path)} - STILL_THERE) == []


def test_pages_are_written_in_standard_terms():
    assert sorted({one for path in PAGES if path.name not in HISTORY for one in found_in(path)}) == []


@pytest.mark.parametrize(
    ("text", "phrases"),
    [
        ('f"the weeks that were left "\n    f"out of {it}"', ["left out"]),
        ("# the model stands in for the rule", ["stands in for"]),
        ('raise CheckFailed("weeks that were left\n        out")', ["left out"]),
        ('"""Fewest rows; what is learnt\n    beside it."""', ["fewest", "learnt", "beside"]),
        ("A user who is no\nbot.", ["is no bot"]),
        ('rename={"fitted": "learnt"}  # ``learnt`` in its first format', []),
        ("There is no bot; besides, it is sampled.", []),
    ],
)
def test_a_banned_phrase_is_found_wherever_it_is_put(text: str, phrases: list[str]):
    assert phrases_in(text) == phrases


def test_a_participle_as_the_name_of_a_type_is_found():
    source = "class Served: ...\nclass ServedModel: ...\n_Told = int\nLearnt: type = int\nSeed = 7\n"
    assert participle_names_in(source) == ["Served", "_Told", "Learnt"]


def test_the_passage_that_lists_the_phrases_is_all_that_is_skipped():
    text = page_text(TOP / "CONTRIBUTING.md")
    assert "How it is written" in text
    assert "Names" in text
    assert "learnt" not in text
