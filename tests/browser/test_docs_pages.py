"""The pages of docs/ as a reader opens them: files of this machine, without a server or a net."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from jv_assets import settings


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)]
    subprocess.run(command, cwd=settings.ROOT, env={**os.environ, "NO_MKDOCS_2_WARNING": "1"}, check=True)
    return folder


@pytest.mark.parametrize("start", ["index.html", "reference/cli.html"])
def test_the_search_box_finds_pages_that_were_opened_as_files(page: Page, site: Path, start: str) -> None:
    elsewhere: list[str] = []
    page.on("request", lambda each: elsewhere.append(each.url) if not each.url.startswith(site.as_uri()) else None)
    page.goto((site / start).as_uri())
    page.get_by_role("textbox", name="Search").fill("repartition")
    found = page.locator(".md-search-result__link", has_text="How many partitions")
    expect(found.first).to_be_visible()
    found.first.click()
    expect(page.get_by_role("heading", name="How many partitions")).to_be_visible()
    assert page.url.startswith((site / "ranges.html").as_uri())
    assert elsewhere == []
