"""Texts that an embedding model cannot tell from others are counted: without content, or in another script."""

from pathlib import Path

import pandas as pd
import pytest

from jv_assets.pipeline.texts.text_content import has_no_content, is_in_another_script, meaningless_shares
from jv_assets.resources.range_files import RangeFiles

EMPTY = ["n/a", "N/A", "none", "None.", "-----", "...", "na na na", "not applicable", "TBD",
         "\u200b\u200b\u200b\u200b\u200b",
         "\x01\x02\x03\x04\x05", "\ufeffn/a", "😀😀😀😀😀", "👩‍👩‍👧 ✨ ❤️",
         "x" * 101, "null / unknown", "- - a - -"]  # fmt: skip
FOREIGN = ["我们帮助企业发展业务", "نساعد الشركات على النمو",
           "हम व्यवसायों की मदद करते हैं", "Мы помогаем авторам",
           "私たちは支援します 2024",
           "𝐇𝐞𝐥𝐩 𝐟𝐨𝐫 𝐚𝐮𝐭𝐡𝐨𝐫𝐬", "coach для авторов", "ＡＢＣＤＥ"]  # fmt: skip
MEANT = ["podcast guests", "Ich helfe Selbstständigen", "naïve café", "B2B SaaS", "none of my partners", "n/a: ask me",
         "C++ and R courses", "books and курсы", "x" * 100, "Việt Nam", "12345 people", "No-code tools"]  # fmt: skip
NO_TEXT = [None, "", "   ", 7, float("nan"), []]


@pytest.mark.parametrize("value", EMPTY)
def test_without_content(value: str) -> None:
    assert has_no_content(value)
    assert not is_in_another_script(value)


@pytest.mark.parametrize("value", FOREIGN)
def test_in_another_script(value: str) -> None:
    assert is_in_another_script(value)
    assert not has_no_content(value)


@pytest.mark.parametrize("value", [*MEANT, *NO_TEXT])
def test_neither(value: object) -> None:
    assert not has_no_content(value)
    assert not is_in_another_script(value)


def test_shares_are_of_profiles_and_of_files_that_know(tmp_path: Path) -> None:
    files = RangeFiles(str(tmp_path))
    counted = {"texts_without_content": [0, 3], "texts_in_other_scripts": [0, 0]}
    files.write("profiles", "0", pd.DataFrame({"id": ["a", "b"], **counted}), {})
    files.write("profiles", "4", pd.DataFrame({"id": ["c"]}), {})
    assert meaningless_shares(files, ["0", "4"]) == {"texts_without_content": 0.5, "texts_in_other_scripts": 0.0}
    assert meaningless_shares(files, ["4"]) == {}
