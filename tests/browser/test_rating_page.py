"""A rating sheet in a browser: by keyboard and by thumb, and nothing leaves the page but what the rater saves."""

import csv
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from jv_assets.ratings.drawing import Sheet
from jv_assets.ratings.sheet import to_html
from jv_assets.ratings.store import Pair
from jv_scoring.analysis.ratings import SOURCES

TEXT = "A newsletter </script><img src=https://elsewhere.invalid/x onerror=alert(1)> for authors"


@pytest.fixture
def sheet(tmp_path: Path) -> Path:
    pairs = [
        Pair(number, source, None, f"a{number}", f"b{number}", "harmonic/impute", None, None, {})
        for number, source in enumerate(SOURCES, 1)
    ]
    names = [name for pair in pairs for name in (pair.profile_id, pair.candidate_id)]
    profiles = {
        name: {"name": f"Profile {name}", "fields": [("Offering", TEXT), ("Bio", "words " * 90)]} for name in names
    }
    path = tmp_path / "sheet.html"
    path.write_text(to_html(Sheet("0123456789ab", pairs), profiles))
    return path


def saved(page: Page, tmp_path: Path) -> list[dict[str, str]]:
    with page.expect_download() as download:
        page.get_by_role("button", name="Save as CSV").click()
    download.value.save_as(tmp_path / "saved.csv")
    with (tmp_path / "saved.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_by_keyboard_it_is_rated_kept_and_saved(page: Page, sheet: Path, tmp_path: Path) -> None:
    complaints: list[str] = []
    asked: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(sheet.as_uri())
    expect(page.get_by_text("Pair 1 of 3; 0 rated")).to_be_visible()
    expect(page.get_by_text("keep it to yourself")).to_be_visible()
    expect(page.locator("#a dd").first).to_have_text(TEXT)

    page.keyboard.press("4")
    expect(page.get_by_role("button", name="4", exact=True)).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("n")
    page.keyboard.type('fits "well", 5 of 5')
    page.keyboard.press("Escape")
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("heading", name="Profile a2")).to_be_visible()
    page.keyboard.press("1")
    page.keyboard.press("2")
    expect(page.get_by_text("Pair 2 of 3; 2 rated")).to_be_visible()

    page.get_by_role("button", name="Save as CSV").click()
    expect(page.get_by_role("status")).to_contain_text("Say who you are first")
    page.keyboard.type("ab")
    page.reload()
    expect(page.get_by_text("Pair 2 of 3; 2 rated")).to_be_visible()
    rows = saved(page, tmp_path)
    assert [{**row, "rated_at": ""} for row in rows] == [
        {
            "sheet": "0123456789ab",
            "pair": "1",
            "rater": "ab",
            "rating": "4",
            "note": 'fits "well", 5 of 5',
            "rated_at": "",
        },
        {"sheet": "0123456789ab", "pair": "2", "rater": "ab", "rating": "2", "note": "", "rated_at": ""},
    ]
    assert all(row["rated_at"].endswith("Z") for row in rows)
    page.keyboard.press("Escape")
    page.keyboard.press("ArrowLeft")
    expect(page.get_by_label("Note")).to_have_value('fits "well", 5 of 5')
    assert complaints == []
    assert {url.partition(":")[0] for url in asked} <= {"file", "blob"}


def test_on_a_phone_nothing_is_out_of_sight(page: Page, sheet: Path) -> None:
    page.set_viewport_size({"width": 360, "height": 640})
    page.goto(sheet.as_uri())
    page.get_by_role("button", name="5", exact=True).click()
    page.get_by_role("button", name="Next").click()
    expect(page.get_by_text("Pair 2 of 3; 1 rated")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.evaluate("scrollTo(0, document.body.scrollHeight)")
    last, answer = page.locator("#b dd").last.bounding_box(), page.locator(".answer").bounding_box()
    assert last is not None
    assert answer is not None
    assert last["y"] + last["height"] <= answer["y"]
