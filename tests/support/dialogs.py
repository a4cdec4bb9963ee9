"""What both the browser's tests and the benchmark of the UI's pages do there."""

from playwright.sync_api import Locator, Page, expect


def dialog_of(page: Page, asset: str) -> Locator:
    """The dialog to choose ranges in. Before it Dagster may ask whether to go on without what comes before."""
    dialog = page.get_by_role("dialog").filter(has_text=f"Launch runs to materialize {asset}")
    sure = page.get_by_role("button", name="Confirm")
    expect(dialog.or_(sure)).to_be_visible()
    if sure.is_visible():
        sure.click()
    expect(dialog.get_by_role("button", name="Failed and missing")).to_be_visible()
    return dialog
