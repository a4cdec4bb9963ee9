"""The report and the explanation of a match in a real browser: drawn, readable, alone, on any screen and on paper."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from playwright.sync_api import Page

from jv_assets.automation.schedules import REPORTS
from jv_assets.demo.population import make_population
from jv_assets.explain import explain, parse_changes, to_html
from jv_assets.platform import postgres
from jv_assets.setup.loading import load_frames
from jv_assets.setup.migrations.run import migrate
from tests.support.models import MINILM, minilm
from tests.support.pipelines import Pipeline, nightly_done

DESK, PHONE = {"width": 1200, "height": 900}, {"width": 390, "height": 844}
PAPER = {"width": 718, "height": 1000}
"""A4 at 96 dots an inch, less margins of a centimetre."""
SMALL = {"empty": (0, 0), "one_match": (6, 1), "no_embeddings": (40, 80)}
"""Profiles and matches of the databases where a report has little to say; nothing is embedded in them."""
NAMES = ("report", *SMALL, "explain", "explain_changed")
LOOKS = Path(__file__).with_name("looks.js").read_text()


@pytest.fixture(scope="module")
def pages(server: postgres.Server, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The files of the pages, by name."""
    with ThreadPoolExecutor(
        1
    ) as other:  # in this thread Playwright's event loop is running, and Dagster starts its own
        return other.submit(make_pages, server, tmp_path_factory.mktemp("pages")).result()


def make_pages(server: postgres.Server, folder: Path) -> dict[str, Path]:
    found = {}
    for name, (profiles, matches) in SMALL.items():
        with dg.DagsterInstance.ephemeral() as instance:
            pipeline = Pipeline(database(server, name), folder / name, instance)
            migrate(pipeline.database, dimension=384)
            if profiles:
                population = make_population(profiles, matches)
                load_frames(pipeline.database, population.profiles, population.matches)
            assert pipeline.run().success
            found[name] = report(pipeline)
    with nightly_done(folder / "report") as pipeline:
        found["report"] = report(pipeline)
        (best,) = pipeline.sql("SELECT id::text FROM match_suggestions ORDER BY harmonic_mean DESC NULLS LAST LIMIT 1")
        changes = parse_changes(["a.seeking=a stage for my talks", "list_size=90000", "current_projects="])
        explained = explain(pipeline.database, MINILM, best["id"])
        changed = explain(
            pipeline.database, MINILM, best["id"], "geometric/redistribute", changes=changes, embed=minilm().embed
        )
        for name, explanation in (("explain", explained), ("explain_changed", changed)):
            found[name] = folder / f"{name}.html"
            found[name].write_text(to_html(explanation))
    return found


def database(server: postgres.Server, name: str) -> str:
    server.ensure_database(f"pages_{name}")
    return server.url(f"pages_{name}")


def report(pipeline: Pipeline) -> Path:
    assert pipeline.run("report", REPORTS).success
    return pipeline.home / "reports" / "report.html"


@pytest.fixture(params=NAMES)
def opened(pages: dict[str, Path], page: Page, request: pytest.FixtureRequest) -> Iterator[Page]:
    """Each page in turn. It must ask for nothing beside itself, and the browser must have nothing to complain of."""
    complaints, asked = [], []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda each: asked.append(each.url))
    address = pages[request.param].as_uri()
    page.goto(address)
    yield page
    assert complaints == []
    assert asked == [address]


def looks(page: Page, size: dict[str, int] = DESK, scheme: Any = "light", medium: Any = "screen") -> Any:
    """With every figure open, as a reader opens it; on paper all are shown as they are."""
    page.set_viewport_size(size)  # type: ignore[arg-type]
    page.emulate_media(color_scheme=scheme, media=medium)
    unfold = "(open) => { for (const each of document.querySelectorAll('details')) each.open = open }"
    page.evaluate(unfold, medium == "screen")
    found = page.evaluate(LOOKS)
    assert found["texts"] > 10
    return found


def name_of(page: Page) -> str:
    return Path(page.url).parent.parent.name if page.url.endswith("report.html") else Path(page.url).stem


@pytest.mark.parametrize("size", [DESK, PHONE], ids=["desk", "phone"])
def test_every_chart_draws_and_fits(opened: Page, size: dict[str, int]) -> None:
    charts = looks(opened, size)["charts"]
    assert (len(charts) > 15) == (name_of(opened) in ("report", "no_embeddings", "one_match"))
    for chart in charts:
        assert chart["marks"] > 0, chart
        assert chart["texts"] > 2, chart
        assert chart["width"] > 200, chart
        assert chart["height"] > 50, chart
        assert chart["left"] >= 0, chart
        assert chart["right"] <= size["width"], chart


@pytest.mark.parametrize("size", [DESK, PHONE], ids=["desk", "phone"])
def test_nobody_has_to_scroll_sideways(opened: Page, size: dict[str, int]) -> None:
    found = looks(opened, size)
    assert found["wide"] == []
    assert found["scroll"] <= found["width"] <= size["width"]


SCREENS = 12


def test_it_is_short_and_its_list_of_sections_stays_in_view(pages: dict[str, Path], page: Page) -> None:
    page.goto(pages["report"].as_uri())
    for size in (DESK, PHONE):
        page.set_viewport_size(size)  # type: ignore[arg-type]
        height = page.evaluate("document.documentElement.scrollHeight")
        assert size != DESK or height <= SCREENS * size["height"]
        for place in (0.5, 0.9):
            page.evaluate(f"scrollTo(0, {height * place})")
            box = page.locator("nav").bounding_box()
            assert box is not None
            assert -1 <= box["y"] < size["height"] / 2
            assert page.locator("nav a").count() == page.locator("section").count()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_stands_out_from_what_is_behind_it(opened: Page, scheme: str) -> None:
    """By 4.5 to 1, as the accessibility guidelines (WCAG 2, AA) ask for."""
    assert looks(opened, scheme=scheme)["faint"] == []
    ground = opened.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (ground == "rgb(255, 255, 255)") == (scheme == "light")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_prints_black_on_white_and_nothing_is_cut_off(opened: Page, scheme: str) -> None:
    found = looks(opened, PAPER, scheme, "print")
    assert found["faint"] == []
    assert found["wide"] == []
    for chart in found["charts"]:
        assert chart["right"] <= PAPER["width"], chart
    assert all(chart["height"] > 50 for chart in found["charts"])  # also those that are folded on a screen
    # whatever the table is as tall as, all of it must be there
    cut = "[...document.querySelectorAll('.wide')].filter((each) => each.scrollHeight > each.clientHeight + 1).length"
    assert opened.evaluate(cut) == 0
    assert opened.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    paper = opened.pdf(format="A4")
    assert paper.startswith(b"%PDF-")
    assert paper.count(b"/Type /Page\n") >= 1


def test_pictures_of_them(pages: dict[str, Path], page: Page, shoot: Callable[[Page, str], None]) -> None:
    for name in ("report", "explain"):
        page.goto(pages[name].as_uri())
        for kind, size, scheme in (("light", DESK, "light"), ("dark", DESK, "dark"), ("phone", PHONE, "light")):
            looks(page, size, scheme)
            shoot(page, f"{name}-{kind}")
