"""The diagnostic report, tallies to page and text: whole, self-contained, and clear where there is nothing to say."""

import json
import re
import struct
import zlib
from base64 import b64decode
from collections.abc import Mapping
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
import pandas as pd
import pytest

from jv_assets.errors import UserError
from jv_assets.pipeline.changes import fingerprint, fingerprint_of_all
from jv_assets.pipeline.texts.text_lengths import text_lengths
from jv_assets.reports.answers import answers
from jv_assets.reports.beside import beside
from jv_assets.reports.congestion_numbers import congestion
from jv_assets.reports.figures import signed
from jv_assets.reports.momentum_options import TITLE as OPTIONS
from jv_assets.reports.numbers import report_of
from jv_assets.reports.page import to_html
from jv_assets.reports.pictures import PICTURED, pictures
from jv_assets.reports.sampling import Sample, of_mean, of_share
from jv_assets.reports.sections import headlines, sections, warnings
from jv_assets.reports.tallies import TALLIED, keep, merge, scored, tallied
from jv_assets.reports.text import to_text
from jv_assets.resources.range_files import RangeFiles
from jv_scoring.analysis import aggregation_comparison, embedding_isolation, momentum_bottleneck, production_impact
from jv_scoring.analysis.momentum_options import momentum_options
from jv_scoring.prepare import profile_features
from tests.support.profile_strategies import Profile, frame
from tests.support.score_rows import nothing_is_nan, population, scored_rows, without_vectors

VOID = {"meta", "br", "hr"}
NOT_SAID = re.compile(r"NaN|undefined|\bNone\b|\bnull\b|\bInfinity\b|\binf\b|\bnan\b")
DIRECTIONS = ("ab", "ba")
ALL = 58
"""Matches of `population(3, 9)`."""


def score(files: RangeFiles, key: str, rows: pd.DataFrame) -> None:
    files.write("match_scores", key, rows, {"rows": len(rows), "policy": "", "fingerprint": fingerprint(rows)})


def tally(files: RangeFiles, key: str, rows: pd.DataFrame, features: pd.DataFrame, wanted: int | None = None) -> None:
    """What the assets do of a range."""
    score(files, key, rows)
    sample = Sample(wanted, ALL) if wanted else None
    analyses = {"embedding_isolation": embedding_isolation, "aggregation_comparison": aggregation_comparison}
    for asset, module in analyses.items():
        tally, _ = tallied(scored(files, key, module.COLUMNS, sample), module.tally)
        random = module.tally_random(rows.iloc[:9]) if module is embedding_isolation else None
        keep(files, asset, key, tally, len(rows), sample=sample, random=random)
    then = next(scored(files, key, [*production_impact.COLUMNS, "stored_harmonic_mean"], sample))
    before = then["stored_harmonic_mean"]
    then = then.assign(**(dict.fromkeys(production_impact.BEFORE) | {"before_harmonic_mean": before}))
    keep(files, "production_impact", key, production_impact.tally(then), len(rows), sample=sample, hours=24)
    low = momentum_bottleneck.tally(next(scored(files, key, momentum_bottleneck.COLUMNS, sample)))
    of_profiles = momentum_bottleneck.tally_profiles(features)
    keep(files, "momentum_bottleneck", key, low, len(rows), profiles=of_profiles, sample=sample)


def report(
    folder: Path,
    ranges: Mapping[str, pd.DataFrame],
    profiles: list[Profile],
    fill: bool = True,
    *,
    wanted: int | None = None,
    old_sample: bool = False,
) -> dict[str, Any]:
    """Of these rows by range; with `fill` all other ranges are there and empty. `wanted`: of a sample of so many."""
    files = RangeFiles(str(folder), 4)
    features = profile_features(frame(profiles))
    empty = next(iter(ranges.values())).iloc[:0]
    every = list("048c") if fill else list(ranges)
    for number, key in enumerate(every):
        tally(files, key, ranges.get(key, empty), features if number == 0 else features.iloc[:0], wanted)
    made = report_of(merge(files), old_sample=old_sample)
    return made | beside(files, folder, made)


def options_of(folder: Path, rows: pd.DataFrame, profiles: list[Profile], **more: Any) -> dict[str, Any]:
    """What the asset momentum_options writes."""
    found = momentum_options(rows, profile_features(frame(profiles)), repeats=3, grid_repeats=2)
    stamp = {"made_at": "2026-01-02", "scoring_version": "v2", "sample": None}
    stamp["fingerprint"] = fingerprint_of_all(RangeFiles(str(folder), 4))
    (folder / "momentum_options.json").write_text(json.dumps(stamp | found | more))
    return found


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    return scored_rows(*population(3, 9), match_score=50.0)


@pytest.fixture(scope="module")
def real(rows: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """With the options for Momentum, made of the same scores."""
    ranges = {"0": rows.iloc[:10], "4": rows.iloc[10:25], "c": rows.iloc[25:]}
    folder = tmp_path_factory.mktemp("real")
    report(folder, ranges, population(3, 9)[0])
    options_of(folder, rows, population(3, 9)[0])
    return report(folder, ranges, population(3, 9)[0], old_sample=True)


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
                    assert cell.strip() in words  # the page indents by its style
                    assert cell.strip() in shown
    assert nothing_is_nan(real)
    json.dumps(real, allow_nan=False)


GOOD = "Are the scores any good?"


def outcomes(verdict: str, better: str | None = None, **record: Any) -> dict[str, Any]:
    """An evaluation whose label `acted`, of today's scores, has this verdict; all else is too few."""
    now = {"ranking": "harmonic/impute", "auc_within": 0.57, "low": 0.52, "high": 0.61, "compared": None}
    rankings = [now, {"ranking": "popularity", "compared": "better" if better == "popularity" else "worse"}]
    few = {"verdict": "too few", "used": 40, "positive": 12, "rankings": rankings}
    labels = {"acted": few, "feedback": few}
    told = {"acted": {**few, "verdict": verdict, **record}, "feedback": few}
    return {
        "policy": "harmonic/impute",
        "analyses": {"retrospective": {"labels": told}, "prospective": {"labels": labels}},
    }


@pytest.mark.parametrize(
    ("found", "said", "action"),
    [
        (None, "Nobody knows: no outcome was evaluated.", "Type jv evaluate."),
        (
            outcomes("too few"),
            "Nobody can tell yet: 12 matches that people act on are too few.",
            "or let people rate pairs",
        ),
        (
            outcomes("predicts"),
            "The scores predict what people do: of two matches of one profile",
            "in the order of the score",
        ),
        (
            outcomes("predicts", "popularity"),
            "in 57.0 % of cases (95 % 52.0 % to 61.0 %), where chance",
            "same matches: popularity.",
        ),
        (outcomes("no evidence"), "There is no evidence that the scores predict", "Do not act on the order yet"),
        (outcomes("misleads"), "The scores mislead:", "Do not show matches in this order"),
    ],
)
def test_the_first_answer_claims_what_the_verdict_does(
    real: dict[str, Any], found: Any, said: str, action: str
) -> None:
    first = answers({**real, "evaluation": found})[0]
    assert first.question == GOOD
    assert said in first.sentence
    assert action in first.action
    if found and found["analyses"]["retrospective"]["labels"]["acted"]["verdict"] != "too few":
        assert "scores of today, whose profiles people may have edited since" in first.sentence


def test_every_answer_is_one_sentence_with_one_action_above_the_figures(real: dict[str, Any]) -> None:
    html, text = to_html(real), " ".join(to_text(real).split())
    words = " ".join(" ".join(Page(html).texts).split())
    found, titles = answers(real), [each.title for each in sections(real)]
    assert len(found) >= 7
    for each in found:
        assert f"{each.sentence} {each.action}" in words
        assert f"{each.question} {each.sentence} {each.action}" in text
        assert each.sentence.endswith(".")
        assert each.sentence.count(". ") == 0
        assert each.action.endswith(".")
        assert each.section in ("", *titles)
        assert words.index(each.sentence) < words.index(titles[0], words.index(found[-1].sentence))
    assert not re.search(r"\bgains?\b", text.replace("largest gains", ""))  # no word for an offset of two ladders


@pytest.mark.parametrize(
    ("low", "high", "said", "action"),
    [
        (0.1, 0.3, "points.", "Keep them"),
        (-0.1, 0.5, "points: no difference is shown.", "Do not count the higher mean as an improvement"),
        (-0.4, -0.2, "less than words do.", "Compare word_overlap"),
    ],
)
def test_the_answer_on_embeddings_follows_the_interval(
    real: dict[str, Any], low: float, high: float, said: str, action: str
) -> None:
    beyond = {**real["embedding_isolation"]["beyond_random"], "value": (low + high) / 2, "low": low, "high": high}
    changed = {**real, "embedding_isolation": {**real["embedding_isolation"], "beyond_random": beyond}}
    (found,) = [each for each in answers(changed) if each.question == "Did embeddings help?"]
    assert found.sentence.endswith(said)
    assert found.action.startswith(action)
    assert f"(95 % {signed(low)} to {signed(high)})" in found.sentence


def test_the_first_figure_of_each_section_is_open_and_the_others_fold(real: dict[str, Any]) -> None:
    html = to_html(real)
    every = [section.figures for section in sections(real) if section.figures]
    assert html.count("<details>") == sum(len(figures) - 1 for figures in every)
    for figures in every:
        assert f"<article>\n<h3>{figures[0].question}</h3>" in html.replace("&#39;", "'")
    assert html.count("<nav>") == 1


def test_the_numbers_are_those_of_the_rows(real: dict[str, Any], rows: pd.DataFrame) -> None:
    found = real["headline"]
    assert found["matches"] == len(rows)
    assert found["mean"] == pytest.approx(rows["harmonic_mean"].mean())
    assert found["median"] == pytest.approx(rows["harmonic_mean"].median())
    assert found["sd"] == pytest.approx(rows["harmonic_mean"].std(ddof=0))
    methods = rows[[f"{name}_method_{of}" for name, of in embedding_isolation.COMPARISONS]]
    assert found["fallback_share"] == pytest.approx((methods == "word_overlap").to_numpy().mean())
    assert found["good"] == ((rows["harmonic_mean"] >= 60) & (rows["harmonic_mean"] < 80)).sum()
    by_range = {each["range"]: each["evaluations"] for each in real["fallbacks"]}
    assert (by_range["0"], by_range["4"], by_range["8"]) == (30, 45, 0)
    assert len(by_range) == 4
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
        files, features = RangeFiles(str(tmp_path), 4), profile_features(frame(population(3, 9)[0])).iloc[:0]
        tally(files, "0", rows, features)
        found = report_of(merge(files))
        found |= beside(files, tmp_path, found)
    else:
        found = report(tmp_path, {"0": rows}, profiles)
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
        assert found["headline"]["change_by_embeddings"] == 0.0
    if case == "no data for Momentum":
        assert found["headline"]["floor_share"] == 1.0


def test_no_nan_is_shown(real: dict[str, Any]) -> None:
    assert not NOT_SAID.search(to_html(real))
    assert not NOT_SAID.search(to_text(real))


def test_missing_ranges_are_named(rows: pd.DataFrame, tmp_path: Path) -> None:
    found = report(tmp_path, {"0": rows.iloc[:10], "4": rows.iloc[10:]}, population(3, 9)[0], fill=False)
    assert {asset: len(keys) for asset, keys in found["missing_ranges"].items()} == dict.fromkeys(TALLIED, 2)
    assert found["headline"]["missing_ranges"] == 2
    for shown in (to_html(found), to_text(found)):
        assert "2 of 4 ranges (8, c)" in " ".join(shown.split())


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
        report(tmp_path, {"0": rows, "4": other, "8": other}, population(3, 9)[0])
    assert str(error.value) == (
        "ranges were scored under several policies (geometric/redistribute: 4, 8; harmonic/impute: 0): "
        "score all under one (jv rescore) first"
    )


def test_nothing_tallied_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"^no range of embedding_isolation, .* was ever made: type jv report"):
        merge(RangeFiles(str(tmp_path), 4))


def test_a_range_that_was_never_scored_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"^no scores: materialize match_scores first"):
        next(scored(RangeFiles(str(tmp_path), 4), "0", embedding_isolation.COLUMNS))


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


# --- the options for Momentum ----------------------------------------------------------------------------------------


def options_section(made: dict[str, Any]) -> dict[str, Any]:
    """The figures' tables by question."""
    (found,) = [each for each in sections(made) if "Momentum get more data" in each.title]
    return {figure.question: figure for figure in found.figures}


def test_the_options_come_after_the_other_policies(real: dict[str, Any]) -> None:
    titles = [each.title for each in sections(real)]
    place = titles.index("Should Momentum get more data, another policy, or both?")
    assert titles[place - 1] == "What would another aggregation do?"
    assert warnings(real) == []


def test_the_grid_shows_every_policy_and_share(real: dict[str, Any]) -> None:
    made = real["momentum_options"]
    figures = options_section(real)
    for question, measure, show in (
        ("How would the mean match score change?", "mean", lambda value: value - made["today"]["mean"]),
        ("In how many directions would Momentum be the weakest?", "bottleneck_share", lambda value: 100 * value),
    ):
        table = figures[question].table
        assert table.columns == ("policy", "0 %", "25 %", "50 %", "75 %", "100 %")
        expected = {each["policy"]: [show(each[measure])] for each in made["method"]}
        for each in made["grid"]:
            expected[each["policy"]].append(show(each[measure]["mean"]))
        found = {row[0]: [float(cell.replace("−", "-").rstrip(" %")) for cell in row[1:]] for row in table.rows}
        assert found.keys() == expected.keys()
        for policy, values in expected.items():
            assert found[policy] == pytest.approx(values, abs=0.051 if measure != "mean" else 0.0051)


def test_the_grid_says_how_exact_its_means_are(real: dict[str, Any]) -> None:
    errors = [each["mean"]["error"] for each in real["momentum_options"]["grid"]]
    note = options_section(real)["How would the mean match score change?"].note
    assert note.endswith(f"Means of 2 simulations, each exact to ±{max(errors):.2f} in 95 % of cases.")


def test_the_decision_is_at_the_end_and_whole(real: dict[str, Any]) -> None:
    figures = options_section(real)
    decision = real["momentum_options"]["decision"]
    assert list(figures)[-1] == "What does each option come to?"
    rows = figures["What does each option come to?"].table.rows
    assert len(rows) == len(decision)
    assert [row[1] for row in rows] == [each["policy"] for each in decision]
    assert [row[4] for row in rows] == [str(each["profiles_to_fill"]) for each in decision]
    worth = [row[0] for row in figures["Which single field is worth most?"].table.rows]
    assert worth == [
        each["field"].replace("_", " ")
        for each in real["momentum_options"]["worth"]
        if each["points_per_profile"]["mean"] is not None
    ]
    assert "2026-01-02" in to_text(real)


def test_options_that_were_never_made_are_named(rows: pd.DataFrame, tmp_path: Path) -> None:
    (tmp_path / "momentum_options.json").write_text("{}")
    found = report(tmp_path, {"0": rows}, population(3, 9)[0])
    assert found["momentum_options"] is None
    assert options_section(found) == {}
    assert "Not made yet: jv report makes it" in to_text(found)


def test_options_of_older_scores_or_another_policy_are_told(real: dict[str, Any]) -> None:
    old = {**real, "fingerprint": "another"}
    (warning,) = warnings(old)
    assert warning.startswith("The options for Momentum are older than the scores: they were made at 2026-01-02,")
    other = {**real, "momentum_options": {**real["momentum_options"], "policy": "geometric/impute"}}
    (warning,) = warnings(other)
    assert "measured against geometric/impute, and this report is of harmonic/impute" in warning
    assert options_section(other) == {}
    assert "older than the scores" in " ".join(to_text(old).split())


# --- what is said of the tallies themselves --------------------------------------------------------------------------


def test_a_comparison_by_an_older_version_counts_as_missing(rows: pd.DataFrame, tmp_path: Path) -> None:
    """That version compared with harmonic/impute, whatever the policy was, and its tally names none."""
    report(tmp_path, {"0": rows.iloc[:10], "4": rows.iloc[10:]}, population(3, 9)[0])
    files, asset = RangeFiles(str(tmp_path), 4), "aggregation_comparison"
    files.write(asset, "4", files.read(asset, "4"), {**files.metadata(asset, "4"), "policy": None})
    found = report_of(merge(files))
    assert found["missing_ranges"] == {asset: ["4"]}
    assert found["aggregation_comparison"]["matches"] == 10


def test_ranges_that_were_scored_anew_are_told(rows: pd.DataFrame, tmp_path: Path) -> None:
    report(tmp_path, {"0": rows.iloc[:10], "4": rows.iloc[10:]}, population(3, 9)[0])
    files = RangeFiles(str(tmp_path), 4)
    score(files, "0", rows.iloc[:10])  # the same again
    score(files, "4", rows.iloc[10:].assign(inputs_hash="another"))
    found = report_of(merge(files))
    assert found["stale_ranges"] == {asset: ["4"] for asset in TALLIED}
    shown = " ".join(to_text(found).split())
    assert "1 of 4 ranges (4) were rescored since embedding_isolation, momentum" in shown


@pytest.mark.parametrize("column", ["id", "policy", "scoring_version", "inputs_hash"])
def test_the_fingerprint_of_scores_is_that_of_what_they_are_made_of(rows: pd.DataFrame, column: str) -> None:
    changed = rows.copy()
    changed.loc[3, column] = "another"
    assert fingerprint(changed) != fingerprint(rows)
    assert fingerprint(rows.assign(match_context="of another day")) == fingerprint(rows)


def test_the_biased_sample_is_shown_only_where_it_was_asked_for(
    real: dict[str, Any], rows: pd.DataFrame, tmp_path: Path
) -> None:
    assert "A biased sample, only to compare with older figures" in " ".join(to_text(real).split())
    found = report(tmp_path, {"0": rows}, population(3, 9)[0])
    assert found["embedding_isolation"]["best_by_match_score"]["matches"] == 0
    assert "older matcher" not in to_text(found)


def test_the_lengths_of_the_most_changed_matchs_texts(rows: pd.DataFrame, tmp_path: Path) -> None:
    profiles = population(3, 9)[0]
    files = RangeFiles(str(tmp_path), 4)
    table = frame(profiles)
    kept = table.assign(**text_lengths(table.reset_index())).reset_index(names="id")
    files.write("profiles", "c", kept[["id", *(name for name in kept if name.startswith("characters_"))]], {})
    found = report(tmp_path, {"0": rows}, profiles)
    (shown,) = [
        figure.table
        for section in sections(found)
        for figure in section.figures
        if figure.question == "Which matches change the most?"
    ]
    texts = dict(zip(table.index, table.to_dict("records"), strict=True))
    assert len(shown.rows) == 20
    for row, each in zip(shown.rows, found["embedding_isolation"]["most_changed"], strict=True):
        expected = []
        for side in ("profile_id", "suggested_profile_id"):
            of = texts[each[side]]
            for text in (of["seeking"], of["offering"] or of["what_you_do"], of["who_you_serve"]):
                expected.append(f"{len((text or '').strip()):,}")
        assert list(row[4:]) == expected
    text = to_text(found)
    for profile in profiles:
        assert not profile.get("seeking") or len(profile["seeking"]) < 20 or profile["seeking"] not in text


def test_where_lengths_are_not_known_there_is_a_dash(real: dict[str, Any]) -> None:
    assert real["text_lengths"] == {}
    assert "  –  " in to_text(real)


# --- samples ---------------------------------------------------------------------------------------------------------


def test_a_sample_is_the_same_every_time_and_of_the_size_asked_for() -> None:
    rows = pd.DataFrame({"id": [str(UUID(int=number)) for number in range(20_000)], "score": range(20_000)})
    drawn = Sample(1_000, 20_000).draw(rows)
    assert abs(len(drawn) - 1_000) < 120  # some four sd of such a draw
    shuffled = rows.sample(frac=1, random_state=1)
    assert set(Sample(1_000, 20_000).draw(shuffled)["id"]) == set(drawn["id"])
    assert set(drawn["id"]) < set(Sample(2_000, 20_000).draw(rows)["id"])
    assert abs(drawn["score"].mean() - 10_000) < 4 * 5_774 / 1_000**0.5


def test_intervals() -> None:
    values = np.random.default_rng(5).normal(50, 6, 400)
    error = values.std(ddof=1) / 20
    found = of_mean(values.mean(), values.std(), 400)
    assert (found["low"], found["high"]) == pytest.approx((values.mean() - 1.96 * error, values.mean() + 1.96 * error))
    # Wilson's interval has the shares that lie just 1.96 of their own standard errors away
    for share, count in ((0.5, 10), (0.0, 40), (1.0, 7), (0.03, 900)):
        found = of_share(share, count)
        assert found["low"] <= share <= found["high"]
        for end in (found["low"], found["high"]):
            if 0 < end < 1:
                assert abs(share - end) == pytest.approx(1.96 * (end * (1 - end) / count) ** 0.5, rel=1e-4)
    assert of_share(0.0, 40)["low"] == 0.0
    assert of_mean(None, None, 0) == of_share(None, 0) == {"value": None, "low": None, "high": None}


def test_a_report_of_a_sample_says_so_with_intervals(rows: pd.DataFrame, tmp_path: Path) -> None:
    found = report(tmp_path, {"0": rows.iloc[:20], "4": rows.iloc[20:]}, population(3, 9)[0], wanted=30)
    drawn = Sample(30, ALL).draw(rows)
    assert found["headline"]["matches"] == len(drawn) < len(rows) == ALL
    assert found["headline"]["mean"] == pytest.approx(drawn["harmonic_mean"].mean())
    assert nothing_is_nan(found)
    first, *others = sections(found)
    assert first.title == "How exact are these figures?"
    told = f"Counts are of the sample alone, {len(drawn)} of {ALL} matches."
    untold = [each.title for each in others if not each.figures or not each.figures[0].note.startswith(told)]
    assert untold == [OPTIONS]
    shown_above = dict(headlines(found))
    assert shown_above["Matches in the sample"] == f"{len(drawn)} of {ALL}"
    assert {"Tiers, in the sample", "Gini of places in best 10, in the sample"} < shown_above.keys()
    (row,) = [row for row in first.figures[0].table.rows if row[0] == "mean match score"]
    interval = of_mean(drawn["harmonic_mean"].mean(), drawn["harmonic_mean"].std(ddof=0), len(drawn))
    assert row[1:] == tuple(f"{interval[name]:.2f}" for name in ("value", "low", "high"))
    for shown in (to_html(found), to_text(found)):  # the page has it above its first question
        assert f"a sample of {len(drawn)} of {ALL} matches, drawn by id hash" in " ".join(shown.split())


def test_reports_of_all_matches_have_no_intervals(real: dict[str, Any]) -> None:
    assert real["sample"] is None
    assert real["intervals"] == []
    assert "sample of" not in to_text(real)


def test_different_samples_are_refused_by_name(rows: pd.DataFrame, tmp_path: Path) -> None:
    report(tmp_path, {"0": rows}, population(3, 9)[0])
    files, features = RangeFiles(str(tmp_path), 4), profile_features(frame(population(3, 9)[0]))
    for key in ("4", "8"):
        tally(files, key, rows.iloc[:0], features.iloc[:0], 30)
    with pytest.raises(UserError) as error:
        merge(files)
    assert str(error.value) == (
        f"reports are of different samples (30 of {ALL} matches: 4, 8; all matches: 0, c): make all again (jv report)"
    )


# --- pictures --------------------------------------------------------------------------------------------------------


def test_pictures_are_few_and_small_and_of_charts_of_the_page(real: dict[str, Any]) -> None:
    found = pictures(sections(real))
    assert tuple(found) == PICTURED
    assert len(found) <= 5
    for question, markdown in found.items():
        start = f"![{question}](data:image/png;base64,"
        assert markdown.startswith(start)
        data = b64decode(markdown[len(start) : -1], validate=True)
        assert data.startswith(b"\x89PNG\r\n\x1a\n")
        assert len(data) < 30_000
        assert colors_of(data) > 20


def colors_of(png: bytes) -> int:
    """How many there are in a picture of 8-bit RGBA whose checksums are right."""
    at, pixels = 8, b""
    while at < len(png):
        size, kind = struct.unpack(">I4s", png[at : at + 8])
        body = png[at + 8 : at + 8 + size]
        assert struct.unpack(">I", png[at + 8 + size : at + 12 + size]) == (zlib.crc32(kind + body),)
        if kind == b"IHDR":
            width, height = struct.unpack(">II", body[:8])
        pixels += body if kind == b"IDAT" else b""
        at += 12 + size
    raw = np.frombuffer(zlib.decompress(pixels), np.uint8).reshape(height, 1 + 4 * width)
    return len(np.unique(raw[:, 1:].reshape(-1, 4), axis=0))
