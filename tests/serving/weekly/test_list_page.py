"""The page of a list says what to look at, what changed and what it should earn, and holds no markup of others."""

from datetime import date

from models.page import Page
from serving.weekly.changes import Changes
from serving.weekly.checks import Concern
from serving.weekly.list_page import ListSummary, page_of, profit_words, upload_words
from serving.weekly.profit import ContactCosts, ProfitRanking
from tests.serving.weekly.test_profit import world

CHANGES = Changes(
    date(2026, 11, 9), {("high", "low"): 3, ("too new", "high"): 2}, {("low", "low"): 9, ("low", "high"): 1}
)
COUNTS = {"to be contacted": 1200, "opted out": 3}


def page(**more: object) -> Page:
    return page_of("Weekly list vip", "2026-W47", summary=ListSummary(COUNTS, **more))  # type: ignore[arg-type]


def test_a_list_without_costs_and_without_an_earlier_week_has_its_counts_only():
    found = page()
    assert [table.title for table in found.tables] == ["Who is on it, and who is not"]
    assert not found.pictures
    assert found.verdicts == {"Is there something to look at before it is sent?": "No."}
    assert "1,200" in found.to_html()


def test_concerns_come_first_and_are_text():
    html = page(concerns=[Concern("size_moved", "list <b>vip</b> has 3 users")]).to_html()
    assert "list &lt;b&gt;vip&lt;/b&gt; has 3 users." in html


def test_users_who_are_not_in_the_upload_are_counted_with_a_way_out():
    words = upload_words({"without an id": 300, "with the id of another row": 2}, listed=1000, id_column="email")
    assert words.startswith(
        "No: upload.csv has 698 of 1,000 users. Not in it: 300 without an id, 2 with the id of another row."
    )
    assert '"email is not null" as a condition of [export] reachable' in words
    assert page(upload_note=words).verdicts["Does the upload have everybody on it?"] == words
    assert "reachable" not in upload_words({"with the id of another row": 2}, listed=9, id_column="email")
    assert not upload_words({}, listed=9, id_column="email")


def test_the_profit_has_a_picture_with_two_other_save_rates():
    ranking, _ = world(1)
    found = page(profit=ranking)
    (picture,) = found.pictures
    assert "10.0% or 30.0%" in picture.words
    assert picture.svg.startswith("<svg")
    assert "pays from a save rate of" in found.verdicts["What should contacting them earn?"]


def test_a_list_that_nothing_makes_pay_says_so():
    ranking, _ = world(1)
    costs = ContactCosts(0.01, per_contact=1000.0)
    assert "nobody is listed" in profit_words(ProfitRanking(costs, ranking.churn_probability, ranking.value, 0, 0))


def test_matrices_of_users_and_of_the_model_stand_apart():
    tables = {table.title: table.rows for table in page(changes=CHANGES).tables}
    assert tables["Users since 2026-11-09"] == [
        {"": "high", "high": "0", "low": "3"},
        {"": "too new", "high": "2", "low": "0"},
    ]
    assert tables["What the new model changed"] == [{"": "low", "high": "1", "low": "9"}]
