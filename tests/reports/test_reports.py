"""The report assets on a real database: their numbers are those that pandas finds in the range files."""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import reduce
from pathlib import Path
from typing import Any

import dagster as dg
import numpy as np
import pandas as pd
import pytest
from sqlalchemy import text

from jv_assets import settings
from jv_assets.automation.report_after_nightly import report_after_nightly
from jv_assets.automation.schedules import NIGHTLY, NIGHTLY_REPORTS, REPORTS, RESCORE
from jv_assets.partitions import ID_RANGES, range_tags
from jv_assets.platform import postgres
from jv_assets.platform.own_runs import STARTED_BY_JV
from jv_assets.reports.momentum_options import section as momentum_options_section
from jv_assets.reports.pictures import PICTURED
from jv_assets.reports.random_pairs import RandomPairs
from jv_assets.reports.sections import sections
from jv_assets.reports.tallies import TALLIED
from jv_assets.reports.text import headline_text
from jv_assets.reports.text_robustness import TITLE as ROBUSTNESS
from jv_assets.resources import report_address
from jv_assets.resources.known_models import KNOWN
from jv_assets.setup.migrations.run import migrate
from jv_scoring.analysis.momentum_options import momentum_options
from jv_scoring.policy import POLICIES
from jv_scoring.reference import score_pair
from jv_scoring.similarity import calibration_of
from tests.support.documented import undocumented
from tests.support.models import MINILM
from tests.support.pipelines import Pipeline, nightly_done, profiles_by_id

KEYS = list(ID_RANGES.get_partition_keys())
COMPARISONS = [("offering_seeking", "ab"), ("offering_seeking", "ba"), ("audience_alignment", "ab")]
METHODS = [f"{name}_method_{of}" for name, of in COMPARISONS]
WEIGHTS = {"intent": 0.45, "synergy": 0.25, "momentum": 0.20, "context": 0.10}


class Reports(Pipeline):
    """A pipeline whose runs make the reports, unless told otherwise."""

    def run(
        self,
        job: str = "report",
        assets: Sequence[str] = NIGHTLY_REPORTS,
        first: str = KEYS[0],
        last: str = KEYS[-1],
        **ops: Any,
    ) -> dg.ExecuteInProcessResult:
        return super().run(job, assets, first, last, **ops)

    def made(self, kind: str) -> str:
        return (self.home / "reports" / f"report.{kind}").read_text(encoding="utf-8")

    def report(self) -> dict[str, Any]:
        report: dict[str, Any] = json.loads(self.made("json"))
        return report

    def rows(self) -> pd.DataFrame:
        return pd.concat([self.files.read("match_scores", key) for key in KEYS], ignore_index=True)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reports]:
    """The report was made, too. Tests that change anything put it back."""
    with nightly_done(tmp_path_factory.mktemp("reports"), Reports) as pipeline:
        assert pipeline.run(assets=REPORTS, momentum_options={"repeats": 4}).success
        yield pipeline


def failures(result: dg.ExecuteInProcessResult) -> dict[str, str]:
    """By asset."""
    events = [event for event in result.all_events if event.is_step_failure]
    data = {str(event.step_key): event.step_failure_data.user_failure_data for event in events}
    return {key: str(each.description) if each else "" for key, each in data.items()}


def test_the_score_is_that_of_the_range_files(whole: Reports) -> None:
    scores, found = whole.rows()["harmonic_mean"], whole.report()["headline"]
    assert found["matches"] == len(scores) > 850
    assert found["mean"] == pytest.approx(scores.mean())
    assert found["median"] == pytest.approx(scores.median())
    assert found["sd"] == pytest.approx(scores.std(ddof=0))
    tiers = pd.cut(scores, [0, 40, 60, 80, 101], right=False, labels=["poor", "fair", "good", "excellent"])
    for name, count in tiers.value_counts().items():
        assert found[str(name)] == count
    fallback = (whole.rows()[METHODS] == "word_overlap").to_numpy().mean()
    assert 0 < fallback < 1
    assert found["fallback_share"] == pytest.approx(fallback)


def test_the_weakest_dimension_is_that_of_the_range_files(whole: Reports) -> None:
    rows, found = whole.rows(), whole.report()
    names = ("intent", "synergy_impute", "momentum_impute", "context")
    dimensions = np.concatenate([rows[[f"{name}_{of}" for name in names]].to_numpy() for of in ("ab", "ba")])
    weakest = dimensions == dimensions.min(axis=1, keepdims=True)
    assert found["headline"]["momentum_bottleneck_share"] == pytest.approx(weakest[:, 2].mean())
    low = found["momentum_bottleneck"]
    shares = {each["dimension"]: each["share"] for each in low["weakest"] if each["direction"] == "both"}
    means = {each["dimension"]: each["mean"] for each in low["dimensions"] if each["direction"] == "both"}
    assert list(shares.values()) == pytest.approx(weakest.mean(axis=0).tolist())
    assert list(means.values()) == pytest.approx(dimensions.mean(axis=0).tolist(), abs=1e-9)
    fields = ("audience_engagement", "social_reach", "active_projects", "list_size")
    floor = [rows[[f"{name}_{of}" for name in fields]].isna().all(axis=1).mean() for of in ("ab", "ba")]
    assert found["headline"]["floor_share"] == pytest.approx(np.mean(floor))
    features = pd.concat([whole.files.read("profiles", key) for key in KEYS])
    coverage = {each["field"]: each["of_profiles"] for each in low["coverage"]}
    assert coverage == pytest.approx({name: features[name].notna().mean() for name in fields})
    assert found["profiles"] == len(features) == 150


def test_the_other_policies_are_those_of_the_range_files(whole: Reports) -> None:
    rows, found = whole.rows(), whole.report()["aggregation_comparison"]
    for nulls in ("impute", "redistribute"):
        raw = []
        for of in ("ab", "ba"):
            names = ("intent", f"synergy_{nulls}", f"momentum_{nulls}", "context")
            dimensions = rows[[f"{name}_{of}" for name in names]].to_numpy(np.float64)
            weights = np.where(np.isnan(dimensions), 0, list(WEIGHTS.values()))
            raw.append(np.nansum(dimensions * weights, axis=1) / weights.sum(axis=1) * 10)
        scores = pd.Series(2 / (1 / raw[0] + 1 / raw[1]))
        (record,) = [
            each
            for each in found["scores"]
            if each["policy"] == f"arithmetic/{nulls}" and each["score"] == "harmonic_mean"
        ]
        assert record["mean"] == pytest.approx(scores.mean(), abs=0.005)
        (against,) = [each for each in found["against_current"] if each["policy"] == f"arithmetic/{nulls}"]
        spearman = rows["harmonic_mean"].rank().corr(scores.round(2).rank())
        assert against["spearman"] == pytest.approx(spearman, abs=1e-3)


def test_embeddings_and_congestion_are_those_of_the_range_files(whole: Reports) -> None:
    rows, found = whole.rows(), whole.report()
    overlap = {
        each["measure"]: each["mean"]
        for each in found["embedding_isolation"]["measures"]
        if each["side"] == "word_overlap"
    }
    for name, of in COMPARISONS:
        assert overlap[f"{name}_{of}"] == pytest.approx(rows[f"{name}_overlap_{of}"].mean())
    assert found["headline"]["change_by_embeddings"] == pytest.approx(
        rows["harmonic_mean"].mean() - overlap["harmonic_mean"]
    )
    ordered = rows.sort_values(["harmonic_mean", "id"], ascending=[False, True])
    places = ordered.groupby("profile_id").head(10)["suggested_profile_id"].value_counts()
    counts = np.sort(np.concatenate([places.to_numpy(), np.zeros(150 - len(places))]))
    gini = np.abs(counts[:, None] - counts).mean() / 2 / counts.mean()
    assert found["congestion"]["gini"] == pytest.approx(gini)
    assert found["congestion"]["in_none"] == 150 - len(places)
    assert found["congestion"]["most_places"] == places.max()


def test_random_pairs_are_those_of_the_reference(whole: Reports) -> None:
    """Each match's A with a profile that is suggested to somebody, scored as the reference does."""
    random_pairs, rows, profiles = RandomPairs(whole.database, whole.files, MINILM), whole.rows(), profiles_by_id(whole)
    pairs = pd.concat([each for key in KEYS for each in random_pairs.scored(key)], ignore_index=True)
    assert pairs["id"].tolist() == rows["id"].tolist()
    assert pairs["profile_id"].tolist() == rows["profile_id"].tolist()
    assert set(pairs["suggested_profile_id"]) <= set(rows["suggested_profile_id"])
    assert (pairs["suggested_profile_id"] != pairs["profile_id"]).all()
    assert (pairs["suggested_profile_id"] != rows["suggested_profile_id"]).mean() > 0.9
    often = [each["suggested_profile_id"].value_counts() for each in (rows, pairs)]
    assert often[0].corr(often[1]) > 0.5  # drawn as often as they are suggested
    for pair in pairs.iloc[::97].itertuples():
        sides = profiles[pair.profile_id], profiles[pair.suggested_profile_id]
        assert pair.harmonic_mean == score_pair(*sides, "harmonic/impute", calibration_of(MINILM)).harmonic_mean
    found = whole.report()["embedding_isolation"]
    random = next(each for each in found["random"] if each["measure"] == "harmonic_mean")
    assert (random["pairs"], random["embeddings"]) == (len(pairs), pytest.approx(pairs["harmonic_mean"].mean()))
    change = next(each for each in found["measures"] if (each["measure"], each["side"]) == ("harmonic_mean", "change"))
    assert found["beyond_random"]["value"] == pytest.approx(change["mean"] - random["change"])
    assert found["beyond_random"]["low"] < found["beyond_random"]["value"] < found["beyond_random"]["high"]


def harmless_edits(whole: Reports) -> dict[str, Any]:
    made: dict[str, Any] = json.loads((whole.home / "reports" / "text_robustness.json").read_text(encoding="utf-8"))
    return made


def test_edited_texts_are_scored_as_the_reference_scores_edited_profiles(whole: Reports) -> None:
    """Each profile with more than 10 matches, its text as it is and edited, by the real model and in plain loops."""
    found, rows, profiles = harmless_edits(whole), whole.rows(), profiles_by_id(whole)
    of_a = {a: mine for a, mine in rows.groupby("profile_id") if len(mine) > 10 and has_vector(profiles[a]["seeking"])}
    assert (found["profiles"], found["matches"]) == (len(of_a), sum(map(len, of_a.values())))
    assert found["profiles"] > 5
    for record, edit in zip(found["edits"], (lambda text: text + ".", lambda text: f"I am looking for {text}"),
                            strict=True):  # fmt: skip
        pairs, kept, moved = 0, [], 0
        for a, mine in of_a.items():
            text, best = profiles[a]["seeking"].strip(), []
            for variant in (text, edit(text)):
                (vector,) = whole.embedder.embed([variant])
                source = profiles[a] | {"embedding_seeking": vector.tolist()}
                scored = {
                    match.id: score_pair(source, profiles[match.suggested_profile_id], "harmonic/impute",
                                         calibration_of(MINILM))
                    for match in mine.itertuples()
                }  # fmt: skip
                steps = [each.breakdown_ab["synergy"]["factors"][0] for each in scored.values()]
                best.append((sorted(scored, key=lambda k: (-scored[k].harmonic_mean, k))[:10], steps))
            (first, before), (second, after) = best
            kept.append(len({*first} & {*second}) / 10)
            semantic = [each["method"] == "semantic" for each in before]
            pairs += sum(semantic)
            both = zip(before, after, semantic, strict=True)
            moved += sum(one["score"] != two["score"] for one, two, by_vectors in both if by_vectors)
        chance = float(np.mean([10 / len(mine) for mine in of_a.values()]))
        assert record["pairs"] == pairs
        assert record["moved"] == pytest.approx(moved / pairs)
        assert record["kept"] == pytest.approx(np.mean(kept))
        assert record["beyond_chance"] == pytest.approx((np.mean(kept) - chance) / (1 - chance))
    assert any(each["moved"] for each in found["edits"])
    (shown,) = [each for each in sections(whole.report()) if each.title == ROBUSTNESS]
    assert [row[0] for row in shown.figures[0].table.rows] == [each["edit"] for each in found["edits"]]
    assert ROBUSTNESS in [each["question"] for each in whole.report()["answers"]]


def has_vector(text: object) -> bool:
    return isinstance(text, str) and len(text.strip()) >= 5


def test_without_the_model_nothing_is_said_of_edits(whole: Reports, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jv_assets.resources.model_files.KNOWN", {MINILM: replace(KNOWN[MINILM], package="not_there")})
    try:
        result = whole.run(assets=["text_robustness", "diagnostic_report"])
        assert result.success
        shown = whole.metadata("text_robustness", result.run_id)[None]
        assert shown["not_made"] == "the embedding model is not on this machine"
        assert whole.report()["text_robustness"] is None
        assert ROBUSTNESS not in [each.title for each in sections(whole.report())]
        assert ROBUSTNESS not in whole.made("html")
    finally:
        monkeypatch.undo()
        assert whole.run(assets=["text_robustness", "diagnostic_report"]).success


def test_all_of_the_page_is_of_the_policy_that_scored_the_matches(whole: Reports) -> None:
    policy = "geometric/impute"
    try:
        rescore(whole, policy)
        report = whole.report()
        parts = ("aggregation_comparison", "momentum_options", "production_impact", "embedding_isolation")
        assert {report[part].get("current", report[part].get("policy")) for part in parts} == {policy}
        assert report["policy"] == report["congestion"]["policy"] == policy
        test_the_score_is_that_of_the_range_files(whole)
        test_the_weakest_dimension_is_that_of_the_range_files(whole)
        test_the_other_policies_are_those_of_the_range_files(whole)
        test_embeddings_and_congestion_are_those_of_the_range_files(whole)
        test_page_and_text_show_those_numbers(whole)
        others = re.compile("|".join(POLICIES.keys() - {policy}))
        told = [text for each in sections(report) for text in (each.answer, *(one.note for one in each.figures))]
        sentences = [sentence for text in told for sentence in text.split(". ") if others.search(sentence)]
        assert [sentence for sentence in sentences if "of the six is" not in sentence] == []
        decided = [row[1] for row in momentum_options_rows(report) if row[0] in ("today", "more data")]
        assert set(decided) == {policy}
    finally:
        rescore(whole, "harmonic/impute")


def rescore(whole: Reports, policy: str) -> None:
    """Score and publish everything under a policy, and make all reports anew."""
    wanted = {"switch_policy": True, "accept_shift": True}
    assert whole.run("rescore", RESCORE, match_scores={"policy": policy}, published_scores=wanted).success
    assert whole.run(assets=REPORTS, momentum_options={"repeats": 4}).success


def momentum_options_rows(report: dict[str, Any]) -> Sequence[Sequence[str]]:
    (found,) = [each for each in momentum_options_section(report).figures if "each option" in each.question]
    return found.table.rows


def test_page_and_text_show_those_numbers(whole: Reports) -> None:
    page = re.sub(r"<svg.*?</svg>", "", whole.made("html"), flags=re.DOTALL)
    assert "nan" not in whole.made("html").lower().replace("finance", "")
    for line in headline_text(whole.report()).splitlines():
        name, value = re.split(r"  +", line, maxsplit=1)
        assert line in whole.made("txt")
        assert f"<dt>{name}</dt><dd>{value}</dd>" in page
    assert f"mean {whole.rows()['harmonic_mean'].mean():.2f}," in page
    assert page.count("<h3>") > 15


def test_metadata_is_there_for_each_range_and_for_the_report(whole: Reports) -> None:
    result = whole.run()
    assert result.success
    for asset, number in (
        ("embedding_isolation", "mean_change_by_embeddings"),
        ("momentum_bottleneck", "momentum_bottleneck_share"),
        ("aggregation_comparison", "mean_geometric_impute"),
    ):
        found = whole.metadata(asset, result.run_id)
        assert set(found) == set(KEYS)
        assert sum(each["rows"] for each in found.values()) == len(whole.rows())
        for key, each in found.items():
            assert (number in each) == (len(whole.files.read("match_scores", key, ["id"])) > 0)
            assert each["file_bytes"] == whole.files.path(asset, key).stat().st_size
    (values,) = whole.metadata("diagnostic_report", result.run_id).values()
    assert values["html"] == str(whole.home / "reports" / "report.html")
    headline = whole.report()["headline"]
    assert {name: values[name] for name in headline} == pytest.approx(headline, abs=1e-4)
    assert all(isinstance(values[name], (int, float)) for name in headline)
    (counts,) = whole.sql("SELECT count(harmonic_mean) AS written, count(*) AS rows FROM match_suggestions")
    assert (values["rows_written"], values["rows_written"] + values["without_a_score"]) == tuple(counts.values())
    assert values["embedded_texts"] == whole.sql("SELECT count(*) FROM jv.embedded_texts")[0]["count"]
    for stage in NIGHTLY:
        made = (whole.metadata(stage, run.run_id) for run in whole.instance.get_runs())
        seconds = sum(each["seconds"] for each in next(filter(None, made)).values())
        assert values[f"seconds_{stage}"] == pytest.approx(seconds, abs=0.01)
    assert all(values[question].startswith(f"![{question}](data:image/png;base64,") for question in PICTURED)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JV_HOME", str(whole.home))
        assert values["page"] == report_address.report_url() == "http://127.0.0.1:3100/report.html"


def test_its_metadata_are_documented(whole: Reports) -> None:
    runs = [run.run_id for run in whole.instance.get_runs(dg.RunsFilter(job_name="report"))]
    for asset in REPORTS:
        shown = {str(key) for run in runs for of in whole.metadata(asset, run).values() for key in of}
        assert undocumented(asset, shown - set(PICTURED)) == set(), asset


def test_a_second_report_is_the_same(whole: Reports) -> None:
    def all_but_when() -> list[str]:
        found = whole.report()
        moments = (found["made_at"], found["production_impact"]["compared_moments"]["since"], found["evaluation"]["at"])
        pages = [whole.made(kind) for kind in ("html", "txt", "json")]
        return [reduce(lambda page, moment: page.replace(moment, ""), moments, page) for page in pages]

    before = all_but_when()
    assert whole.run().success
    assert all_but_when() == before
    assert sorted(path.name for path in (whole.home / "reports").iterdir()) == [
        "evaluation.json",
        "momentum_options.json",
        "report.html",
        "report.json",
        "report.txt",
        "text_robustness.json",
        "top_matches.csv",
    ]


def test_a_missing_range_is_named_and_the_others_are_reported(whole: Reports) -> None:
    kept = {asset: whole.files.path(asset, "4").read_bytes() for asset in ("match_scores", "evaluation", *TALLIED)}
    rest = len(whole.rows()) - len(whole.files.read("match_scores", "4"))
    try:
        for asset in kept:
            whole.files.path(asset, "4").unlink()
        result = whole.run(first="0", last="8")
        assert set(failures(result)) == {*TALLIED, "evaluation"}
        for asset, cause in failures(result).items():
            assert cause.startswith(f"1 of 3 ranges of {asset} failed (4: no scores: materialize match_scores first")
            assert cause.endswith("Once fixed, type: jv report")
            assert set(whole.metadata(asset, result.run_id)) == {"0", "8"}
        result = whole.run(assets=("diagnostic_report",))
        assert result.success
        assert whole.report()["missing_ranges"] == {asset: ["4"] for asset in TALLIED}
        assert whole.report()["evaluation"]["missing_ranges"] == ["4"]
        assert whole.report()["headline"]["matches"] == rest
        for kind in ("html", "txt"):
            shown = " ".join(whole.made(kind).split())
            assert "1 of 4 ranges (4) are missing in embedding_isolation, momentum_bottleneck, " in shown
        (values,) = whole.metadata("diagnostic_report", result.run_id).values()
        assert values["missing_ranges"] == 1
    finally:
        for asset, data in kept.items():
            whole.files.path(asset, "4").write_bytes(data)
    assert whole.run(assets=("diagnostic_report",)).success
    assert whole.report()["missing_ranges"] == {}


def test_ranges_of_several_policies_are_one_line(whole: Reports) -> None:
    before = whole.made("json")
    try:
        result = whole.run("rescore", ("match_scores",), "0", "4", match_scores={"policy": "geometric/impute"})
        assert result.success
        result = whole.run()
        assert set(failures(result)) == {"diagnostic_report"}
        assert failures(result)["diagnostic_report"] == (
            "ranges were scored under several policies (geometric/impute: 0, 4; harmonic/impute: 8, c): "
            "score all under one (jv rescore) first"
        )
        assert whole.made("json") == before
    finally:
        assert whole.run("rescore", ("match_scores",), "0", "4").success
        assert whole.run().success


def test_nothing_tallied_is_one_line(whole: Reports, tmp_path: Path) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        empty = Reports(str(whole.database.url), tmp_path / "home", instance)
        result = empty.run(assets=("diagnostic_report",))
    assert failures(result)["diagnostic_report"].endswith("was ever made: type jv report, which makes them")
    assert not (tmp_path / "home" / "reports").exists()


def test_an_empty_database_makes_a_report(tmp_path: Path, server: postgres.Server) -> None:
    server.ensure_database("empty_reports")
    with dg.DagsterInstance.ephemeral() as instance:
        empty = Reports(server.url("empty_reports"), tmp_path / "home", instance)
        migrate(empty.database, dimension=384)
        assert empty.run("nightly", NIGHTLY).success
        assert empty.run().success
        assert empty.report()["headline"]["mean"] is None
        assert "No match is scored, so nothing can be said." in empty.made("txt")


@pytest.mark.parametrize("tags", [{}, {STARTED_BY_JV: "host:1"}])
def test_a_nightly_run_of_the_daemon_is_followed_by_a_report_of_all_ranges(
    whole: Reports, tags: dict[str, str]
) -> None:
    result = whole.run("nightly", ("published_scores",), "0", "4")
    run = whole.instance.get_run_by_id(result.run_id)
    assert run
    context = dg.build_run_status_sensor_context(
        sensor_name="report_after_nightly",
        dagster_event=result.get_run_success_event(),
        dagster_instance=whole.instance,
        dagster_run=run.with_tags({**run.tags, **tags}),
    )
    items = list(report_after_nightly(context))  # type: ignore[call-overload]
    requests = [item for item in items if isinstance(item, dg.RunRequest)]
    if tags:
        assert requests == []
    else:
        (request,) = requests
        assert request.tags == range_tags("0", "c")
        assert request.asset_selection == [dg.AssetKey(name) for name in NIGHTLY_REPORTS]


def test_reports_go_to_a_local_folder_even_where_the_files_are_in_a_bucket(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JV_HOME", "s3://bucket/jv")
    assert settings.reports_dir() == settings.ROOT / ".jv" / "reports"


def decide(whole: Reports, **config: int) -> dg.ExecuteInProcessResult:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JV_HOME", str(whole.home))
        return whole.defs.resolve_implicit_global_asset_job_def().execute_in_process(
            instance=whole.instance,
            asset_selection=[dg.AssetKey("momentum_options")],
            run_config={"ops": {"momentum_options": {"config": config}}},
            raise_on_error=False,
        )


def test_the_momentum_options_are_those_of_the_range_files(whole: Reports) -> None:
    result = decide(whole, repeats=4)
    assert result.success
    shown = whole.metadata("momentum_options", result.run_id)[None]
    made = json.loads((whole.home / "reports" / "momentum_options.json").read_text(encoding="utf-8"))
    features = pd.concat([whole.files.read("profiles", key) for key in KEYS]).set_index("id")
    expected = json.loads(json.dumps(momentum_options(whole.rows(), features, repeats=4, grid_repeats=1)))
    assert {name: made[name] for name in expected} == expected
    assert made.keys() - expected.keys() == {"made_at", "scoring_version", "fingerprint", "sample"}
    assert made["fingerprint"] == whole.report()["fingerprint"]
    assert whole.report()["momentum_options"]["decision"] == made["decision"]
    assert (shown["matches"], shown["repeats"]) == (len(whole.rows()), 4)
    table = shown["decision"].splitlines()
    assert len(table) == 2 + len(made["decision"])
    assert table[0].startswith("| option | policy |")
    assert table[2].startswith("| today | harmonic/impute | – | – | 0 |")
    assert "nan" not in shown["decision"].lower()


def test_options_of_a_sample_are_scaled_up_to_all_matches(whole: Reports) -> None:
    every = json.loads((whole.home / "reports" / "momentum_options.json").read_text(encoding="utf-8"))
    try:
        assert decide(whole, repeats=4, sample=400).success
        made = json.loads((whole.home / "reports" / "momentum_options.json").read_text(encoding="utf-8"))
        worth = {each["field"]: each["points_per_profile"]["mean"] for each in made["worth"]}
        for each in every["worth"]:
            assert worth[each["field"]] == pytest.approx(each["points_per_profile"]["mean"], rel=0.5, abs=0.5)
        today = made["today"]
        assert sum(today[name] for name in ("excellent", "good", "fair", "poor")) == pytest.approx(len(whole.rows()))
    finally:
        assert decide(whole, repeats=4).success


def test_no_repeats_are_refused_in_one_line(whole: Reports) -> None:
    result = decide(whole, repeats=0)
    (failure,) = [event for event in result.all_events if event.is_step_failure]
    assert failure.step_failure_data.user_failure_data
    assert failure.step_failure_data.user_failure_data.description == "repeats: 0: at least one is needed"


def test_the_report_says_when_the_options_are_older_than_the_scores(whole: Reports) -> None:
    with whole.database.transaction() as connection:
        edit = "UPDATE profiles SET list_size = COALESCE(list_size, 0) + 90000 WHERE id = :id"
        connection.execute(text(edit), {"id": whole.rows()["profile_id"].iloc[0]})
    try:
        assert whole.run("rescore", ("profiles", "match_scores")).success
        assert whole.run(assets=("diagnostic_report",)).success
        shown = " ".join(whole.made("txt").split())
        assert "The options for Momentum are older than the scores" in shown
        assert "were rescored since embedding_isolation, momentum_bottleneck, aggregation_comparison" in shown
        assert whole.run().success
        shown = " ".join(whole.made("txt").split())
        assert "The options for Momentum are older than the scores" in shown
        assert "rescored since embedding" not in shown
    finally:
        assert whole.run(assets=REPORTS, momentum_options={"repeats": 4}).success
    assert "!" not in whole.made("txt")


def test_text_lengths_are_those_of_the_table(whole: Reports) -> None:
    lengths = whole.report()["text_lengths"]
    changed = whole.report()["embedding_isolation"]["most_changed"]
    assert set(lengths) == {each[name] for each in changed for name in ("profile_id", "suggested_profile_id")}
    with whole.database.transaction() as connection:
        columns = "seeking, COALESCE(NULLIF(offering, ''), what_you_do), who_you_serve"
        found = connection.execute(text(f"SELECT id::text, {columns} FROM profiles")).all()
    expected = {row[0]: [len((each or "").strip()) for each in row[1:]] for row in found}
    assert {name: list(each.values()) for name, each in lengths.items()} == {name: expected[name] for name in lengths}


def test_a_sample_is_drawn_by_id_and_the_same_every_time(whole: Reports) -> None:
    def tallies() -> dict[str, list[object]]:
        """Rows alone: the metadata of production_impact name the moments that it compared."""
        return {asset: [whole.files.read(asset, key).to_dict("records") for key in KEYS] for asset in TALLIED}

    kept = tallies()
    config = {asset: {"sample": 200} for asset in TALLIED}
    try:
        assert whole.run(assets=(*TALLIED, "diagnostic_report"), **config).success
        first = whole.report()
        assert abs(first["headline"]["matches"] - 200) < 60
        assert first["sample"] == {"wanted": 200, "of": len(whole.rows())}
        assert len(first["intervals"]) == 17
        assert whole.run(assets=(*TALLIED, "diagnostic_report"), **config).success
        assert whole.report()["headline"] == first["headline"]
        result = whole.run(assets=TALLIED, first="0", last="4")
        assert result.success
        result = whole.run(assets=("diagnostic_report",))
        (cause,) = failures(result).values()
        assert cause.startswith("reports are of different samples (200 of ")
        assert cause.endswith("all matches: 0, 4): make all again (jv report)")
        result = whole.run(assets=TALLIED[:1], embedding_isolation={"sample": 0})
        assert failures(result) == {TALLIED[0]: "sample: 0: ask for 1 match or more"}
        assert whole.run(assets=TALLIED, **{asset: {"sample": 10_000} for asset in TALLIED}).success
        assert kept == tallies()
    finally:
        assert whole.run(assets=(*TALLIED, "diagnostic_report")).success


def test_the_biased_sample_is_made_when_asked_for(whole: Reports) -> None:
    assert "best by the older matcher" not in whole.made("txt")
    try:
        assert whole.run(assets=("diagnostic_report",), diagnostic_report={"old_sample": True}).success
        assert "And among the 50 best by the older matcher's match_score?" in whole.made("txt")
        rows = whole.rows().sort_values(["match_score", "id"], ascending=[False, True]).head(50)
        sample = whole.report()["embedding_isolation"]["best_by_match_score"]
        (mean,) = [each["embeddings"] for each in sample["means"] if each["measure"] == "harmonic_mean"]
        assert mean == pytest.approx(rows["harmonic_mean"].mean())
    finally:
        assert whole.run(assets=("diagnostic_report",)).success


def test_top_matches_are_the_best_published_ones(whole: Reports) -> None:
    result = whole.run(assets=("top_matches",), top_matches={"top": 25})
    assert result.success
    found = pd.read_csv(whole.home / "reports" / "top_matches.csv")
    with whole.database.transaction() as connection:
        scored = connection.execute(
            text("SELECT id::text, harmonic_mean::float8 FROM match_suggestions WHERE harmonic_mean IS NOT NULL "
                 "ORDER BY harmonic_mean DESC, id")
        ).all()  # fmt: skip
        every = connection.execute(text("SELECT count(*) FROM match_suggestions")).scalar_one()
    assert list(zip(found["id"], found["match_score"], strict=True)) == [tuple(row) for row in scored[:25]]
    (values,) = whole.metadata("top_matches", result.run_id).values()
    assert values["csv"] == str(whole.home / "reports" / "top_matches.csv")
    assert (values["rows"], values["without_score"]) == (25, every - len(scored))
    assert (values["best_score"], values["least_score"]) == (scored[0][1], scored[24][1])
    result = whole.run(assets=("top_matches",), top_matches={"top": 0})
    assert failures(result) == {"top_matches": "--top 0: ask for 1 match or more"}
    assert whole.run(assets=("top_matches",)).success
    # A pair that is matched from both sides is there once, with the other match beside it.
    every_pair = pd.read_csv(whole.home / "reports" / "top_matches.csv")
    others = every_pair["other_id"].dropna().tolist()
    assert sorted([*every_pair["id"], *others]) == sorted(row[0] for row in scored)
