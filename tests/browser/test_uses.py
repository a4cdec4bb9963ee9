"""What the pipeline is a Dagster one for, as a person with a mouse does it: real pages, daemon and runs."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from conftest import Served
from playwright.sync_api import Locator, Page, expect
from sqlalchemy import create_engine, text

from tests.support.dialogs import dialog_of
from tests.support.serving import ENDED
from tests.support.waiting import wait_until

MILLISECONDS = 60_000
"""How long a page may take; on a free machine it is a fraction of a second."""
pytestmark = pytest.mark.long
BACKFILL_SECONDS = 150
"""The daemon looks after backfills every 30 s, and needs several looks."""
TOO_LONG = "1" * 5000
"""A number that jsonb holds and Python's json does not read."""
Shoot = Callable[[Page, str], None]
RUNS = """query ($tags: [ExecutionTag!]) { runsOrError(filter: {tags: $tags}, limit: 20) { ... on Runs { results {
  runId status jobName tags { key value } assetMaterializations { partition assetKey { path } } } } } }"""

expect.set_options(timeout=MILLISECONDS)


@pytest.fixture
def page(page: Page) -> Page:
    page.set_viewport_size({"width": 1400, "height": 900})
    page.set_default_timeout(MILLISECONDS)
    return page


def runs(ui: Served, **tags: str) -> list[dict[str, Any]]:
    """The runs with all these tags, the latest first; their own tags as a dict."""
    wanted = [{"key": key.replace("__", "/"), "value": value} for key, value in tags.items()]
    found = ui.pages.ask(RUNS, tags=wanted)["runsOrError"]["results"]
    return [{**run, "tags": {tag["key"]: tag["value"] for tag in run["tags"]}} for run in found]


def do(ui: Served, job: str, *assets: str) -> None:
    """A run over all ranges that is not what the test is about."""
    run_id = ui.pages.launch(job, "00", "fc", *assets)
    assert ui.pages.ended(run_id) == "SUCCESS"


def launch(page: Page, dialog: Locator) -> str:
    """Launch what was chosen, and go to the page of the backfill; its id."""
    dialog.get_by_role("button", name=re.compile("^Launch")).click()
    created = page.get_by_role("listitem").filter(has_text="Created backfill")
    expect(created).to_be_visible()
    created.get_by_role("link", name="View").click()
    expect(page.get_by_role("tab", name="Timeline")).to_be_visible()
    return page.url.partition("/runs/b/")[2].split("?")[0].strip("/")


def ended(ui: Served, backfill: str) -> list[dict[str, Any]]:
    """The runs of a backfill, once there are some and all have ended."""

    def look() -> list[dict[str, Any]]:
        found = runs(ui, dagster__backfill=backfill)
        return found if all(run["status"] in ENDED for run in found) else []

    found: list[dict[str, Any]] = wait_until(look)
    return found


def ranges_of(run: dict[str, Any]) -> list[str]:
    """The ranges that a run was over, where it is over one or two."""
    tags = run["tags"]
    names = ("dagster/partition", "dagster/asset_partition_range_start", "dagster/asset_partition_range_end")
    return sorted({tags[name] for name in names if name in tags})


def shows_ranges(page: Page, ui: Served, asset: str, **counts: int) -> None:
    """On the asset's page of ranges."""
    page.goto(f"{ui.address}/assets/{asset}?view=partitions")
    for name, count in counts.items():
        expect(page.get_by_text(f"{name} ({count})", exact=True)).to_be_visible()


def test_materialize_two_ranges(page: Page, ui: Served, shoot: Shoot) -> None:
    do(ui, "__ASSET_JOB", "profiles", "profile_embeddings")
    page.goto(f"{ui.address}/asset-groups")
    jump = page.get_by_role("combobox", name="Jump to…")
    jump.fill("match_scores")
    jump.press("Enter")
    expect(page.get_by_role("link", name="View in Asset Catalog")).to_be_visible()
    page.get_by_role("button", name="Materialize selected").click()
    dialog = dialog_of(page, "match_scores")
    dialog.get_by_role("img", name="expand_more").click()
    for key in ("04", "08"):
        page.get_by_role("menuitem", name=key).click()
    dialog.get_by_role("img", name="expand_less").click()
    expect(dialog.get_by_text("2 partitions", exact=True)).to_be_visible()
    shoot(page, "ui-materialize")
    (run,) = ended(ui, launch(page, dialog))
    assert run["status"] == "SUCCESS"
    assert ranges_of(run) == ["04", "08"]
    page.goto(f"{ui.address}/runs/{run['runId']}")
    expect(page.get_by_text("Success", exact=True).first).to_be_visible()
    shows_ranges(page, ui, "match_scores", Materialized=2, Failed=0, Missing=62)
    page.get_by_text("04", exact=True).first.click()
    (count,) = ui.sql("SELECT count(*) FROM match_suggestions WHERE id::text >= '04' AND id::text < '08'")
    expect(page.get_by_role("row", name=f"rows {count['count']}", exact=True)).to_be_visible()
    expect(page.get_by_role("row", name="policy harmonic/impute")).to_be_visible()
    shoot(page, "ui-range")


def mend(ui: Served, bad: list[dict[str, Any]]) -> None:
    for row in bad:
        ui.sql("UPDATE profiles SET jv_history = CAST(:was AS jsonb) WHERE id = :id", **row)


def test_backfill_what_failed(page: Page, ui: Served, shoot: Shoot) -> None:
    rows = ui.sql("SELECT id::text, jv_history::text AS was FROM profiles ORDER BY id")
    bad = [rows[0], rows[-1]]
    keys = [f"{int(row['id'][:2], 16) // 4 * 4:02x}" for row in bad]
    try:
        for row in bad:
            ui.sql(f"UPDATE profiles SET jv_history = '[{TOO_LONG}]' WHERE id = :id", id=row["id"])
        page.goto(f"{ui.address}/assets/profiles")
        page.get_by_role("button", name="Materialize").first.click()
        dialog = dialog_of(page, "profiles")
        dialog.get_by_role("button", name="All", exact=True).click()
        backfill = launch(page, dialog)
        (run,) = ended(ui, backfill)
        assert run["status"] == "FAILURE"
        address = page.url
        page.goto(f"{ui.address}/runs/{run['runId']}")
        expect(page.get_by_text(f"2 of 64 ranges of profiles failed ({keys[0]}: ").first).to_be_visible()
        shows_ranges(page, ui, "profiles", Materialized=62, Failed=2, Missing=0)
        shoot(page, "ui-failed-ranges")

        page.goto(address)
        expect(page.get_by_text("Failed", exact=True).first).to_be_visible(timeout=BACKFILL_SECONDS * 1000)
        again = reexecute(page)
        assert sorted(key for run in ended(ui, again) for key in ranges_of(run)) == keys
    finally:
        mend(ui, bad)
    page.goto(f"{ui.address}/assets/profiles")
    page.get_by_role("button", name="Materialize").first.click()
    dialog = dialog_of(page, "profiles")
    dialog.get_by_role("button", name="Failed and missing", exact=True).click()
    expect(dialog.get_by_text("2 partitions", exact=True)).to_be_visible()
    shoot(page, "ui-failed-and-missing")
    found = ended(ui, launch(page, dialog))
    assert {run["status"] for run in found} == {"SUCCESS"}
    assert sorted(key for run in found for key in ranges_of(run)) == keys
    shows_ranges(page, ui, "profiles", Materialized=64, Failed=0, Missing=0)


def reexecute(page: Page) -> str:
    """Choose "Re-execute from failure" on the page of a backfill; the new one's id."""
    page.get_by_role("button", name="expand_more").first.click()
    before = page.url
    page.get_by_role("menuitem", name=re.compile("Re-execute from failure")).click()
    created = page.get_by_role("listitem").filter(has_text="Created backfill")
    expect(created).to_be_visible()
    created.get_by_role("link", name="View").click()
    page.wait_for_url(lambda url: url != before and "/runs/b/" in url)
    return page.url.partition("/runs/b/")[2].split("?")[0].strip("/")


def test_nightly(page: Page, ui: Served, shoot: Shoot) -> None:
    """While a run goes a tick starts none. The next one runs over all ranges, and writes nothing that is as it was."""
    with create_engine(str(ui.database.url)).connect() as other:
        other.execute(text("LOCK TABLE profiles IN ACCESS EXCLUSIVE MODE"))
        going = ui.pages.launch("nightly", "00", "fc")
        wait_until(lambda: ui.pages.status(going) == "STARTED")
        page.goto(f"{ui.address}/locations/jv/schedules/every_night")
        page.get_by_role("row", name="Running").get_by_role("img").click()
        try:
            expect(page.get_by_text("0 runs requested").first).to_be_visible(timeout=2 * MILLISECONDS)
            assert runs(ui, dagster__schedule_name="every_night") == []
            other.rollback()
            assert ui.pages.ended(going) == "SUCCESS"
            before = written(ui)
            found = wait_until(lambda: runs(ui, dagster__schedule_name="every_night"))
        finally:
            page.get_by_role("row", name="Running").get_by_role("img").click()
    (run,) = found
    assert ui.pages.ended(run["runId"]) == "SUCCESS"
    assert ranges_of(run) == ["00", "fc"]
    assert written(ui) == before
    expect(page.get_by_text("1 run requested").first).to_be_visible()
    shoot(page, "ui-schedule")
    after = f"{run['runId']} report"
    (report,) = wait_until(lambda: runs(ui, dagster__run_key=after))
    assert ui.pages.ended(report["runId"]) == "SUCCESS"
    page.goto(f"{ui.address}/assets/diagnostic_report")
    expect(page.get_by_text("report.html").first).to_be_visible()
    fresh = dict.fromkeys(("published_scores", "diagnostic_report"), "HEALTHY")
    wait_until(lambda: freshness(ui).items() >= fresh.items())  # the daemon looks every 30 s


FRESHNESS = "{ assetNodes { assetKey { path } freshnessStatusInfo { freshnessStatus } } }"


def freshness(ui: Served) -> dict[str, str]:
    """How fresh each asset is that has to be."""
    return {
        "/".join(node["assetKey"]["path"]): node["freshnessStatusInfo"]["freshnessStatus"]
        for node in ui.pages.ask(FRESHNESS)["assetNodes"]
        if node["freshnessStatusInfo"]
    }


SENSOR = """query ($name: String!) { sensorOrError(sensorSelector: {
  sensorName: $name, repositoryName: "__repository__", repositoryLocationName: "jv" }) {
  ... on Sensor { sensorState { ticks(limit: 1) { status } } } } }"""
OF_A = "SELECT id::text FROM match_suggestions WHERE :a IN (profile_id::text, suggested_profile_id::text)"


def test_sensors_do_what_comes_between_two_nights(page: Page, ui: Served, shoot: Shoot) -> None:
    """A match is new, then a profile is edited: what that concerns is scored, and nothing is left for the night."""
    do(ui, "nightly")
    for name in ("new_matches", "edited_profiles"):
        page.goto(f"{ui.address}/locations/jv/sensors/{name}")
        page.get_by_role("row", name="Running").get_by_role("img").click()
        wait_until(lambda name=name: ui.pages.ask(SENSOR, name=name)["sensorOrError"]["sensorState"]["ticks"])
    (a, b) = (row["id"] for row in ui.sql("SELECT id::text FROM profiles ORDER BY id LIMIT 2"))
    before = written(ui)
    ui.sql(
        "INSERT INTO match_suggestions (id, profile_id, suggested_profile_id, suggested_at) "
        "VALUES (gen_random_uuid(), :a, :b, now())",
        a=a,
        b=b,
    )
    wait_until(lambda: done_by(ui, "new_matches"))
    assert [row for row in written(ui) if row in before] == before
    after = written(ui)
    ui.sql("UPDATE profiles SET list_size = 50000, what_you_do = 'I bake', updated_at = now() WHERE id::text = :a", a=a)
    wait_until(lambda: done_by(ui, "edited_profiles"))
    changed = {row["id"] for row in written(ui) if row not in after}
    assert changed
    assert changed <= {row["id"] for row in ui.sql(OF_A, a=a)}
    page.goto(f"{ui.address}/locations/jv/sensors/edited_profiles")
    expect(page.get_by_text("1 run requested").first).to_be_visible()
    shoot(page, "ui-sensor")
    last = written(ui)
    do(ui, "nightly")
    assert written(ui) == last


def done_by(ui: Served, sensor: str) -> bool:
    """Whether the run that the sensor requested went well, and so did those that score what it was about."""
    found = runs(ui, dagster__sensor_name=sensor)
    if not found:
        return False
    (read,) = found
    scored = [run for run in runs(ui) if run["tags"].get("dagster/run_key", "").startswith(read["runId"])]
    states = {run["status"] for run in (read, *scored)}
    assert states & {"FAILURE", "CANCELED"} == set()
    return bool(scored) and states == {"SUCCESS"}


def written(ui: Served) -> list[dict[str, Any]]:
    """The version of every match's row."""
    return ui.sql("SELECT id::text, xmin::text FROM match_suggestions ORDER BY id")


def test_lineage(page: Page, ui: Served, shoot: Shoot) -> None:
    page.goto(f"{ui.address}/assets/published_scores?view=lineage&lineageScope=upstream&lineageDepth=5")
    for name in ("published_scores", "match_scores", "profile_embeddings", "match_suggestions"):
        expect(page.get_by_text(name, exact=True).first).to_be_visible()
    shoot(page, "ui-lineage")
    page.goto(f"{ui.address}/assets/match_scores")
    expect(page.get_by_text("matching", exact=True).first).to_be_visible()
    for said in ("Every match of the range", "harmonic_mean", "Parquet"):
        expect(page.get_by_text(said).first).to_be_visible()
    shoot(page, "ui-asset")


def test_which_matches_have_no_score_and_why(page: Page, ui: Served, shoot: Shoot) -> None:
    """As one who knows Dagster finds it: the asset's checks, and the table of the one about what was skipped."""
    do(ui, "nightly")
    without = {row["id"] for row in ui.sql("SELECT id::text FROM match_suggestions WHERE harmonic_mean IS NULL")}
    assert without
    page.goto(f"{ui.address}/assets/match_scores?view=checks&checkDetail=few_skipped")
    for match_id in without:
        row = page.get_by_role("row").filter(has=page.get_by_text(match_id, exact=True)).last
        expect(row.get_by_text(re.compile("^(profile gone|matched with itself)$")).first).to_be_visible()
    shoot(page, "ui-without-a-score")
