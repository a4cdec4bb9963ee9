"""A run of `jv` in the Dagster UI, as a person sees it: where any other run stands, and as able to be run again."""

import re
import signal
from collections.abc import Iterator
from contextlib import suppress

import pytest
from playwright.sync_api import Error as PlaywrightError
from playwright.sync_api import Page, expect

from jv_assets.assets.columns import MADE_FROM
from jv_assets.names import GROUPS
from jv_assets.platform.own_runs import STARTED_BY_JV, started_by_jv
from jv_assets.ui.serving import GRAPH
from tests.support.program import Program, removed_at_last
from tests.support.serving import SECONDS, SERVE, Running, running
from tests.support.waiting import wait_until

MILLISECONDS, MOMENT = 60_000, 10_000
expect.set_options(timeout=MILLISECONDS)


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    with removed_at_last(tmp_path_factory.mktemp("own") / "home") as home:
        program = Program(home)
        program.succeeds("load", "demo", "--profiles", "40", "--matches", "80")
        program.succeeds("rescore")
        yield program


@pytest.fixture(scope="module")
def pages(program: Program) -> Iterator[Running]:
    with running(SERVE, program.home, JV_ID_RANGES="4") as pages:
        yield pages
        pages.process.send_signal(signal.SIGTERM)
        pages.process.wait(SECONDS)
        assert pages.process.stdout
        printed = pages.process.stdout.read()
        assert f":{pages.port}{GRAPH} shows how a score is made, from left to right.\n" in printed
        assert "The embedded Postgres keeps running. To stop it: jv stop\n" in printed


def test_a_run_of_jv_stands_where_any_other_does(page: Page, program: Program, pages: Running) -> None:
    page.set_default_timeout(MILLISECONDS)
    with program.instance() as instance:
        (run,) = instance.get_runs()
    address, short = f"http://127.0.0.1:{pages.port}", run.run_id[:8]

    page.goto(f"{address}/locations/__repository__@jv/jobs/rescore/runs")
    expect(page.get_by_role("link", name=short)).to_be_visible()
    page.goto(f"{address}/runs?q[0]=tag%3Adagster%2Fcode_location%3Djv")
    expect(page.get_by_role("link", name=short)).to_be_visible()
    page.goto(f"{address}/overview/activity/timeline")
    expect(page.get_by_role("button", name="folder jv 1")).to_be_visible()  # the jobs of this location that ran

    page.goto(f"{address}/runs/{run.run_id}")
    expect(page.get_by_text("Success", exact=True).first).to_be_visible()
    page.get_by_role("button", name=re.compile("Re-execute")).first.click()
    wait_until(lambda: len(program.runs()) == 2)

    def ended() -> bool:
        with program.instance() as instance:
            return instance.get_runs(limit=1)[0].is_finished

    wait_until(ended)
    with program.instance() as instance:
        again, first = instance.get_runs()
    assert again.is_success
    assert (started_by_jv(first), started_by_jv(again)) == (True, False)
    assert again.parent_run_id == first.run_id
    for each in (first, again):
        page.goto(f"{address}/runs/{each.run_id}")
        expect(page.get_by_text("Success", exact=True).first).to_be_visible()
        assert STARTED_BY_JV in each.tags
        assert "jv_process" not in page.content()
        assert "jv_host" not in page.content()


def test_the_graph_that_jv_ui_names_shows_the_way_of_a_score(page: Page, pages: Running) -> None:
    page.set_default_timeout(MILLISECONDS)
    page.set_viewport_size({"width": 1400, "height": 900})
    page.goto(f"http://127.0.0.1:{pages.port}/asset-groups")
    for group in GROUPS:  # as it is by itself: closed boxes
        expect(page.get_by_text(group, exact=True).first).to_be_visible()
    expect(page.locator("#root").get_by_text("match_scores", exact=True)).to_have_count(0)
    page.goto(f"http://127.0.0.1:{pages.port}{GRAPH}")
    places = []
    for name in ("profile_embeddings", "match_scores", "published_scores"):
        asset = page.get_by_text(name, exact=True).first
        expect(asset).to_be_visible()
        box = asset.bounding_box()
        assert box
        places.append(box["x"])
    assert places == sorted(places)


def test_column_lineage_is_a_table_with_links_to_the_assets(page: Page, pages: Running) -> None:
    page.set_default_timeout(MILLISECONDS)
    address = f"http://127.0.0.1:{pages.port}"
    page.goto(f"{address}/assets/match_scores")
    row = page.get_by_role("row").filter(has_text=MADE_FROM)
    made = page.get_by_role("dialog").get_by_role("row").filter(has=page.get_by_text("offering_seeking_ab", exact=True))
    told: list[str] = []

    def has_followed() -> bool:
        """Open the table, read a row and follow a link. The page closes the table when it draws itself anew."""
        with suppress(PlaywrightError):
            if not made.is_visible():
                row.get_by_text("[Show Markdown]").click(timeout=MOMENT)
            told.append(made.inner_text(timeout=MOMENT))
            made.get_by_role("link", name="profile_embeddings").click(timeout=MOMENT)
        return "/assets/profile_embeddings" in page.url

    wait_until(has_followed)
    for said in ("profile_embeddings", "embedding_seeking", "words_offering", "similarity in steps"):
        assert said in told[-1]
    expect(page.get_by_role("row").filter(has_text="embedding_seeking").first).to_be_visible()
