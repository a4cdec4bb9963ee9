"""The diagnostic report, tallies to page and text: whole, self-contained, and clear where there is nothing to say."""

import json
import re
from collections.abc import Mapping
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from profile_strategies import Profile, frame
from score_rows import nothing_is_nan, population, scored_rows, without_vectors

from jv_assets.errors import UserError
from jv_assets.reporting.congestion import congestion
from jv_assets.reporting.numbers import report_of
from jv_assets.reporting.page import to_html
from jv_assets.reporting.sections import sections
from jv_assets.reporting.tallies import TALLIED, keep, merge, scored
from jv_assets.reporting.text import to_text
from jv_assets.resources.range_files import RangeFiles
from jv_scoring.analysis import aggregation, isolation, momentum
from jv_scoring.prepare import profile_facts

VOID = {"meta", "br", "hr"}
NOT_SAID = re.compile(r"NaN|undefined|\bNone\b|\bnull\b|\bInfinity\b|\binf\b|\bnan\b")
DIRECTIONS = ("ab", "ba")


def tally(files: RangeFiles, key: str, rows: pd.DataFrame, facts: pd.DataFrame) -> None:
    """What the assets do of a range."""
    files.write("match_scores", key, rows, {"rows": len(rows)})
    for module, asset in ((isolation, "embedding_isolation"), (aggregation, "aggregation_comparison")):
        keep(files, asset, key, module.tally(scored(files, key, module.COLUMNS)), len(rows))
    of_profiles = momentum.tally_profiles(facts)
    keep(files, "momentum_bottleneck", key, momentum.tally(rows), len(rows), profiles=of_profiles)


def report(
    folder: Path, ranges: Mapping[str, pd.DataFrame], profiles: list[Profile], fill: bool = True
) -> dict[str, Any]:
    """Of these rows by range; with `fill` all other ranges are there and empty."""
    files = RangeFiles(str(folder), 64)
    facts = profile_facts(frame(profiles))
    empty = next(iter(ranges.values())).iloc[:0]
    every = [f"{first:02x}" for first in range(0, 256, 4)] if fill else list(ranges)
    for number, key in enumerate(every):
        tally(files, key, ranges.get(key, empty), facts if number == 0 else facts.iloc[:0])
    return report_of(merge(files))


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    return scored_rows(*population(3, 9), match_score=50.0)


@pytest.fixture(scope="module")
def real(rows: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    ranges = {"00": rows.iloc[:10], "3c": rows.iloc[10:25], "fc": rows.iloc[25:]}
    return report(tmp_path_factory.mktemp("real"), ranges, population(3, 9)[0])


class Page(HTMLParser):
    """Tags, ids, texts, and the titles of figures and of their charts; AssertionError where tags do not match."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.ids: list[str] = []
        self.texts: list[str] = []
        self.questions: list[str] = []
        self.charts: list[tuple[str, str]] = []
        self.attributes: list[tuple[str, str]] = []
        self.feed(page)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        values = {name: value or "" for name, value in attrs}
        self.attributes += values.items()
        self.ids += [values["id"]] if "id" in values else []
        if tag == "svg":
            self.charts.append((self.questions[-1], values["aria-label"]))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] == "h3":
            self.questions.append(data)
        if self.open and self.open[-1] != "style":
            self.texts.append(data)


def test_every_chart_has_its_question_as_its_title(real: dict[str, Any]) -> None:
    page = Page(to_html(real))
    figures = [figure for section in sections(real) for figure in section.figures]
    assert page.questions == [figure.question for figure in figures]
    assert all(question.endswith("?") for question in page.questions)
    assert len(set(page.questions)) == len(page.questions)
    assert page.charts == [(figure.question, figure.question) for figure in figures if figure.draw]
    assert len(page.charts) >= 17


def test_the_page_loads_nothing_and_runs_nothing(real: dict[str, Any]) -> None:
    html = to_html(real)
    page = Page(html)
    assert not {"script", "link", "img", "image", "iframe", "object", "embed", "foreignobject"} & set(page.tags)
    assert not re.search(r"https?:|//[a-z]|@import|javascript:|data:", html)
    assert all(inside.startswith("#") for inside in re.findall(r"url\((.)", html))
    assert all(value.startswith("#") for name, value in page.attributes if name in ("href", "xlink:href", "src"))
    assert not [name for name, _ in page.attributes if name.startswith("on")]
    assert "default-src 'none'" in html
    assert len(html.encode()) < 3_000_000


def test_ids_are_unique_and_whatever_refers_to_one_finds_it(real: dict[str, Any]) -> None:
    html = to_html(real)
    ids = Page(html).ids
    assert len(ids) == len(set(ids))
    assert set(re.findall(r'url\(#([^)]+)\)|href="#([^"]+)"', html)) <= {(each, "") for each in ids} | {
        ("", each) for each in ids
    }


def test_charts_take_the_pages_colours(real: dict[str, Any]) -> None:
    html = to_html(real)
    charts = "".join(re.findall(r"<svg .*?</svg>", html, re.DOTALL))
    assert "var(--text)" in charts
    assert "var(--series-1)" in charts
    colors = set(re.findall(r'(?:fill|stroke)="([^"]+)"', charts))
    assert {color for color in colors if not color.startswith("var(")} <= {"none", "transparent"}
    for variable in re.findall(r"var\((--[\w-]+)\)", html):
        assert html.count(f"{variable}:") == 2, variable  # in light and in dark


def test_page_text_and_json_say_the_same(real: dict[str, Any]) -> None:
    words = " ".join(" ".join(Page(to_html(real)).texts).split())
    text = to_text(real)
    shown = " ".join(text.split())
    for section in sections(real):
        assert section.title in text
        assert section.answer in words
        assert section.answer in shown
        for figure in section.figures:
            for row in figure.table.rows:
                for cell in row:
                    assert cell in words
                    assert cell in shown
    assert nothing_is_nan(real)
    json.dumps(real, allow_nan=False)


def test_the_numbers_are_those_of_the_rows(real: dict[str, Any], rows: pd.DataFrame) -> None:
    found = real["headline"]
    assert found["matches"] == len(rows)
    assert found["mean"] == pytest.approx(rows["harmonic_mean"].mean())
    assert found["median"] == pytest.approx(rows["harmonic_mean"].median())
    assert found["sd"] == pytest.approx(rows["harmonic_mean"].std(ddof=0))
    methods = rows[[f"{name}_method_{of}" for name in isolation.SIMILARITIES for of in DIRECTIONS]]
    assert found["fallback_share"] == pytest.approx((methods == "word_overlap").to_numpy().mean())
    assert found["good"] == ((rows["harmonic_mean"] >= 60) & (rows["harmonic_mean"] < 80)).sum()
    by_range = {each["range"]: each["evaluations"] for each in real["fallbacks"]}
    assert (by_range["00"], by_range["3c"], by_range["04"]) == (40, 60, 0)
    assert len(by_range) == 64
    score_bars = real["embedding_isolation"]["score_bars"]
    assert sum(each["count"] for each in score_bars if each["side"] == "with embeddings") == len(rows)
    assert sum(each["share"] for each in real["embedding_isolation"]["change_bars"]) == pytest.approx(1)


def emptied(case: str) -> tuple[pd.DataFrame, list[Profile]]:
    profiles, places = population(3, 9)
    if case == "no matches":
        return scored_rows(profiles, places).iloc[:0], profiles
    if case == "nothing at all":
        return scored_rows(profiles, places).iloc[:0], []
    if case == "one match":
        return scored_rows(profiles, places[:1]), profiles
    if case == "no embeddings":
        return scored_rows([without_vectors(each) for each in profiles], places), profiles
    fields = ("audience_engagement_score", "social_reach", "current_projects", "list_size")
    without = [{**each, **dict.fromkeys(fields)} for each in profiles]
    return scored_rows(without, places), without


@pytest.mark.parametrize("case", ["no matches", "nothing at all", "one match", "no embeddings", "no data for Momentum"])
def test_what_there_is_little_of_makes_a_clear_page(case: str, tmp_path: Path) -> None:
    rows, profiles = emptied(case)
    if not profiles:
        files, facts = RangeFiles(str(tmp_path), 64), profile_facts(frame(population(3, 9)[0])).iloc[:0]
        tally(files, "00", rows, facts)
        found = report_of(merge(files))
    else:
        found = report(tmp_path, {"00": rows}, profiles)
    assert nothing_is_nan(found)
    html, text = to_html(found), to_text(found)
    page = Page(html)
    assert not NOT_SAID.search(html)
    assert not NOT_SAID.search(text)
    if case in ("no matches", "nothing at all"):
        assert "No match is scored, so nothing can be said." in text
        assert "No texts were compared." in text
        assert len(page.charts) <= 2  # of profiles alone
    else:
        assert len(page.charts) >= 15
    if case == "no embeddings":
        assert found["headline"]["fallback_share"] == 1.0
        assert found["headline"]["gain_by_embeddings"] == 0.0
    if case == "no data for Momentum":
        assert found["headline"]["floor_share"] == 1.0


def test_no_nan_is_shown(real: dict[str, Any]) -> None:
    assert not NOT_SAID.search(to_html(real))
    assert not NOT_SAID.search(to_text(real))


def test_missing_ranges_are_named(rows: pd.DataFrame, tmp_path: Path) -> None:
    found = report(tmp_path, {"00": rows.iloc[:10], "04": rows.iloc[10:]}, population(3, 9)[0], fill=False)
    assert {asset: len(keys) for asset, keys in found["missing_ranges"].items()} == dict.fromkeys(TALLIED, 62)
    assert found["headline"]["missing_ranges"] == 62
    for shown in (to_html(found), to_text(found)):
        assert "62 of 64 ranges (08, 0c, 10," in " ".join(shown.split())


def test_reports_of_different_matches_are_told(real: dict[str, Any]) -> None:
    old = {**real, "momentum_bottleneck": {**real["momentum_bottleneck"], "matches": 3}}
    for shown in (to_html(old), to_text(old)):
        assert "The reports are not of the same matches" in " ".join(shown.split())
    assert "not of the same matches" not in to_text(real)


def test_what_is_shown_is_escaped(real: dict[str, Any]) -> None:
    most = [{"profile_id": "<script>alert(1)</script>", "places": 3}]
    html = to_html({**real, "policy": "a<b>&", "congestion": {**real["congestion"], "most": most}})
    assert "<script" not in html
    assert "&lt;script&gt;alert(1)" in html
    assert "a&lt;b&gt;&amp;" in html


def test_several_policies_are_refused_by_name(rows: pd.DataFrame, tmp_path: Path) -> None:
    other = scored_rows(*population(3, 9), policy="geometric/redistribute")
    with pytest.raises(UserError) as error:
        report(tmp_path, {"00": rows, "04": other, "08": other}, population(3, 9)[0])
    assert str(error.value) == (
        "ranges were scored under several policies (geometric/redistribute: 04, 08; harmonic/impute: 00): "
        "score all under one (jv rescore) first"
    )


def test_nothing_tallied_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"^no range of embedding_isolation, .* was ever made: type jv report"):
        merge(RangeFiles(str(tmp_path), 64))


def test_a_range_that_was_never_scored_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"^no scores: materialize match_scores first"):
        scored(RangeFiles(str(tmp_path), 64), "00", isolation.COLUMNS)


def best(*places: int) -> pd.DataFrame:
    """Best matches in which profile p0 has the first number of places, p1 the second, …"""
    return pd.DataFrame({"suggested_profile_id": [f"p{k}" for k, count in enumerate(places) for _ in range(count)]})


@pytest.mark.parametrize(
    ("places", "profiles", "gini"),
    [((1, 1, 1, 1), 4, 0.0), ((4,), 4, 0.75), ((3, 1), 2, 0.25), ((1, 2, 3), 3, 2 / 9), ((), 5, None), ((), 0, None)],
)
def test_gini(places: tuple[int, ...], profiles: int, gini: float | None) -> None:
    found = congestion(best(*places), profiles)
    assert found["gini"] == (None if gini is None else pytest.approx(gini))
    assert found["profiles"] == profiles
    assert found["places"] == sum(places)
    assert found["in_none"] == profiles - len(places)
    assert sum(each["profiles"] for each in found["times"]) == profiles


def test_the_lorenz_curve_passes_through_the_shares() -> None:
    found = congestion(best(6, 3, 1), 4)
    assert found["lorenz"] == [
        {"profiles": 0.0, "places": 0.0},
        {"profiles": 0.25, "places": 0.0},
        {"profiles": 0.5, "places": 0.1},
        {"profiles": 0.75, "places": 0.4},
        {"profiles": 1.0, "places": 1.0},
    ]
    assert [each["times"] for each in found["times"]] == ["0", "1", "2", "3–5", "6–10"]
    assert found["most"][0] == {"profile_id": "p0", "places": 6}
    assert found["top_10_percent"] == 0.6
    assert len(congestion(best(*range(1, 500)), 600)["lorenz"]) == 101
