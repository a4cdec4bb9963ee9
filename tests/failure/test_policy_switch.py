"""A switch of the policy that was killed half-way: never mixed silently, and finished or undone as a whole."""

import pytest

from tests.support.faults import KEYS, Production, held, lock_of, waiting
from tests.support.judging import assert_whole
from tests.support.program import SECONDS
from tests.support.waiting import wait_until

pytestmark = pytest.mark.parametrize("production", ["published"], indirect=True)
OLD, NEW = "harmonic/impute", "geometric/impute"
SWITCH = ("rescore", "--policy", NEW, "--switch-policy")


def policies(production: Production) -> dict[str, int]:
    """How many scores there are of each policy, in each half of the ids."""
    rows = production.sql(
        "SELECT match_context ->> 'policy' AS policy, id::text >= '8' AS second, count(*) FROM match_suggestions "
        "WHERE harmonic_mean IS NOT NULL GROUP BY 1, 2"
    )
    return {f"{row['policy']} {'8 to e' if row['second'] else '0 to 6'}": row["count"] for row in rows}


@pytest.mark.parametrize("way", ["undone", "finished"])
def test_a_switch_of_the_policy_killed(production: Production, way: str) -> None:
    jv = production.jv
    with held(production, lock_of("8")), held(production, lock_of("a")):  # Two are published at a time.
        process = jv.start(*SWITCH)
        wait_until(lambda: waiting(production, 2))
        process.kill()
        process.communicate(timeout=SECONDS)
    wait_until(lambda: not waiting(production))
    half = policies(production)
    assert set(half) == {f"{NEW} 0 to 6", f"{OLD} 8 to e"}
    switched, kept = half[f"{NEW} 0 to 6"], half[f"{OLD} 8 to e"]

    status = jv.succeeds("status").out
    assert f"published_scores: failed in 8 ranges ({', '.join(KEYS)}): its process (number " in status
    cure = f"replace them, type: jv rescore --policy {OLD} --switch-policy\n"
    assert f"scores of other rules than {OLD}: {switched:,}; to {cure}" in status

    for words in (("nightly",), ("retry",)):
        refused = jv.run(*words)
        assert refused.code == 1
        assert f"scores are stored under {NEW}, and these were made under {OLD}: " in refused.err, refused.err
        assert f"replace all on purpose by: jv rescore --policy {OLD} --switch-policy" in refused.err
        assert "Traceback" not in refused.err
        assert policies(production) == half

    if way == "undone":
        [run] = [line for line in jv.succeeds("undo").out.splitlines() if NEW in line]
        production.sql("DELETE FROM writes")
        undone = jv.succeeds("undo", run.strip("│ ").split()[0], "--yes").out
        assert f"{switched:,} matches have their old scores again" in undone
        jv.succeeds("nightly")
        assert_whole(production)
    else:
        assert jv.run(*SWITCH).code == 0
        assert policies(production) == {f"{NEW} 0 to 6": switched, f"{NEW} 8 to e": kept}
        assert "Next:" not in jv.succeeds("status", JV_POLICY=NEW).out
