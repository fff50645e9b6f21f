"""Documentation under test: generated pages are fresh, examples run, links lead somewhere, commands can be typed."""

import doctest
import importlib
import json
import re
import shlex
import tomllib
from pathlib import Path
from typing import Any

import pytest
import typer

from churn.cli.app import app
from tests.churn.command import churn as command

TOP = Path(__file__).parents[1]
VERBS: dict[str, Any] = typer.main.get_command(app).commands  # type: ignore[attr-defined]
LISTED: list[str] = tomllib.loads((TOP / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"][
    "only-include"
]
PAGES = sorted([*TOP.glob("*.md"), *(TOP / "docs").rglob("*.md")])
EACH_PAGE = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(TOP)))


def product_modules() -> list[str]:
    """Every module that is shipped, by its import name."""
    files = [path for name in LISTED for path in ([TOP / name] if name.endswith(".py") else (TOP / name).rglob("*.py"))]
    parts = [path.relative_to(TOP).with_suffix("").parts for path in files]
    return sorted(".".join(part for part in names if part != "__init__") for names in parts)


def churn(*arguments: str) -> str:
    ran = command(*arguments, cwd=TOP / "docs")
    assert ran.code == 0, ran.err
    return ran.out


# --- Generated pages -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("log", "begins"),
    [
        ("kuaishou", "| short-video app"),
        ("cdnow", "| CD shop"),
        ("cdnow_sample", "| its published sample"),
        ("simulated", "| simulated"),
    ],
)
def test_the_readme_has_the_figures_of_the_last_measurement(log: str, begins: str):
    row = next(line for line in (TOP / "README.md").read_text().splitlines() if line.startswith(begins))
    found = json.loads((TOP / "benchmarks/accuracy.json").read_text())[log]["figures"]
    auc, low, high = (f"{value:.3f}".removeprefix("0") for value in found["model"]["auc"])
    assert f"{auc}** ({low} to {high})" in row or f" {auc} ({low} to {high})" in row
    assert row.endswith(f"| {found['model']['calibration_error'][0]:.3f} |".replace(" 0.", " ."))
    for rival in set(found) - {"model", "overdue"}:
        assert f"{found[rival]['auc'][0]:.3f}".removeprefix("0") in row


def test_the_page_of_features_is_what_the_catalogue_says():
    assert (TOP / "docs/features.md").read_text() == churn("features", "--markdown"), (
        "docs/features.md is stale: python -m churn features --markdown > docs/features.md"
    )


def test_the_page_of_settings_is_what_the_settings_say():
    assert (TOP / "docs/settings.md").read_text() == churn("settings", "--markdown"), (
        "docs/settings.md is stale: python -m churn settings --markdown > docs/settings.md"
    )


def test_the_schema_of_settings_is_what_the_settings_say():
    assert (TOP / "docs/churn.schema.json").read_text() == churn("settings", "--schema"), (
        "docs/churn.schema.json is stale: python -m churn settings --schema > docs/churn.schema.json"
    )


def test_every_setting_has_a_line_with_its_help():
    lines = (TOP / "docs/settings.md").read_text().splitlines()
    for row in json.loads(churn("settings", "--json")):
        assert row["help"], row["name"]
        found = [line for line in lines if line.startswith(f"| `{row['name']}` |")]
        stale = f"{row['name']} in docs/settings.md: python -m churn settings --markdown > docs/settings.md"
        assert len(found) == 1, stale
        assert row["help"] in found[0], stale


def test_every_feature_has_a_line_with_its_meaning():
    page = (TOP / "docs/features.md").read_text()
    for row in json.loads(churn("features", "--json")):
        assert f"| `{row['name']}` | {row['unit']} | {row['description']} |" in page, (
            f"{row['name']} in docs/features.md: python -m churn features --markdown > docs/features.md"
        )


# --- Examples in docstrings ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", product_modules())
def test_the_examples_in_docstrings_run(name: str):
    found = doctest.testmod(importlib.import_module(name), optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    assert found.failed == 0


def test_there_are_examples_in_docstrings():
    finder = doctest.DocTestFinder()
    modules = [importlib.import_module(name) for name in product_modules()]
    assert sum(bool(test.examples) for module in modules for test in finder.find(module)) > 10


# --- Pages written by hand -----------------------------------------------------------------------------------------


def test_the_readme_can_be_read_in_one_go():
    assert len((TOP / "README.md").read_text().splitlines()) <= 150


@pytest.mark.parametrize(
    "name",
    ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md", "LICENSE", "seeds/brief.md"],
)
def test_what_a_repository_needs_is_there(name: str):
    assert (TOP / name).read_text().strip()


def links(page: Path) -> list[str]:
    """Where a page leads inside the repository, without code and without anchors."""
    prose = re.sub(r"```.*?```|`[^`\n]*`", "", page.read_text(), flags=re.DOTALL)
    found = re.findall(r"\]\(([^)\s]+)\)", prose) + re.findall(r"^\[[^\]]+\]:\s+(\S+)", prose, flags=re.MULTILINE)
    return [link.partition("#")[0] for link in found if not re.match(r"[a-z]+:|#", link)]


def test_the_menu_of_the_site_names_every_page():
    menu = (TOP / "mkdocs.yml").read_text()
    pages = [path.relative_to(TOP / "docs").as_posix() for path in PAGES if path.is_relative_to(TOP / "docs")]
    assert [page for page in pages if page not in menu] == []


@EACH_PAGE
def test_links_lead_to_files_that_exist(page: Path):
    assert [link for link in links(page) if not (page.parent / link).exists()] == []


RULE = (
    "> **A profile is a pure function of the frozen profile specification and of one user's events and dated attributes "
    "before the cutoff.**"
)


@pytest.mark.parametrize("name", ["README.md", "ARCHITECTURE.md", "docs/index.md"])
def test_the_one_rule_has_the_same_words_on_every_page(name: str):
    quotes = [line for line in (TOP / name).read_text().splitlines() if line.startswith("> ")]
    assert quotes == [RULE]


def test_every_package_is_in_the_table_of_folders_and_in_the_tree():
    packages = [name for name in LISTED if (TOP / name / "__init__.py").exists()]
    rows, tree = (TOP / "README.md").read_text(), (TOP / "ARCHITECTURE.md").read_text()
    assert [name for name in packages if f"| `{name}/` |" not in rows] == []
    assert [name for name in packages if f"\n{name}/ " not in tree] == []


def test_every_folder_of_a_package_is_in_the_tree():
    drawing = (TOP / "ARCHITECTURE.md").read_text().split("## The tree")[1].split("## ")[0]
    folders = {path.parent.name for name in LISTED for path in (TOP / name).glob("*/__init__.py")}
    assert sorted(name for name in folders if f"{name}/" not in drawing) == []


@pytest.mark.parametrize("name", ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "SECURITY.md", "seeds/brief.md"])
def test_paths_that_are_named_exist(name: str):
    # words in backticks that start with a folder of the repository
    tops = {path.name for path in TOP.iterdir() if path.is_dir() and not path.name.startswith(".")}
    named = set(re.findall(r"`([a-z_]+/[\w./-]*)`", (TOP / name).read_text()))
    assert [path for path in sorted(named) if path.split("/")[0] in tops and not (TOP / path).exists()] == []


def commands(page: Path) -> list[str]:
    """The lines of a page's code blocks that call `churn`, without comments, prompts, redirections and the shell's rest."""
    blocks = re.findall(r"```[^\n]*\n(.*?)```", page.read_text(), flags=re.DOTALL)
    lines = [line.strip().removeprefix("$ ") for block in blocks for line in block.replace("\\\n", " ").splitlines()]
    called = [re.sub(r"^(\S*/)?churn ", "churn ", line) for line in lines]
    return [re.split(r"\s[#>|&]", line)[0] for line in called if re.match(r"churn [a-z]", line)]


@EACH_PAGE
def test_commands_on_a_page_can_be_typed(page: Path):
    for line in commands(page):
        _, verb, *arguments = shlex.split(line)
        assert verb in VERBS, line
        VERBS[verb].make_context(verb, arguments)  # unknown options and values of the wrong kind raise


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_is_shown_in_the_readme_or_a_guide(verb: str):
    pages = [TOP / "README.md", *(TOP / "docs/guides").glob("*.md")]
    assert any(re.search(rf"\bchurn {verb}\b", page.read_text()) for page in pages), (
        f"no page says what `churn {verb}` is for: README.md, docs/guides/"
    )


def test_commands_are_found_where_there_are_some():
    assert len(commands(TOP / "docs/guides/your-own-log.md")) >= 5


@EACH_PAGE
def test_settings_in_toml_on_a_page_are_known(page: Path):
    from churn.settings import Settings

    for block in re.findall(r"```toml\n(.*?)```", page.read_text(), flags=re.DOTALL):
        Settings(**tomllib.loads(block))


@pytest.mark.parametrize("path", sorted((TOP / "examples").glob("*.toml")), ids=lambda path: path.name)
def test_examples_hold_mapping_horizon_eligibility_and_test_cutoff_only(path: Path):
    from churn.settings import Settings

    found = tomllib.loads(path.read_text())
    Settings(**found)
    assert set(found) <= {"project", "events", "churn", "training"}
    assert set(found["training"]) == {"test_cutoff"}
    assert set(found["churn"]) == {"horizon_days", "active_within_days"}
    assert set(found["events"]) <= {"columns", "timezone", "where"}


def test_every_example_of_a_real_log_is_there():
    assert {"kuaishou.toml", "cdnow.toml", "ecom.toml"} <= {path.name for path in (TOP / "examples").iterdir()}


@pytest.mark.parametrize("name", product_modules())
def test_no_module_names_a_place_on_somebodys_machine(name: str):
    source = Path(str(importlib.import_module(name).__file__)).read_text()
    assert not re.search(r"/(?:work|root)/|/home/\w", source)
