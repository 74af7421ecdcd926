"""What one customer asks of the ledger costs the same beside thousands of others, and beside many old runs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from rosterd.core.guard import Guards, judge
from rosterd.core.people import sort_key
from rosterd.core.plan import PERSON, UPDATE, Change, Facts
from rosterd.following import Following
from rosterd.ledger.sqlite import SqliteLedger
from rosterd.ledger.waits import Wait
from rosterd.part import ENOUGH

NOW = 1_800_000_000.0
DAY = 86_400.0
MANY = 20_000


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[SqliteLedger]:
    made = SqliteLedger(tmp_path / "ledger.db", "https://orbix.example", "acme")
    yield made
    made.close()


@pytest.fixture
def acme(ledger: SqliteLedger) -> int:
    ledger.bind("first", "first")  # binding 1, to whom the others' rows belong
    return ledger.bind("acme", "acme").id


def put(ledger: SqliteLedger, table: str, rows: Iterable[tuple[Any, ...]]) -> None:
    listed = list(rows)
    marks = ",".join("?" * len(listed[0]))
    with ledger._writing():
        ledger._db.executemany(f"INSERT INTO {table} VALUES ({marks})", listed)  # noqa: S608


def put_people(ledger: SqliteLedger, binding: int, number: int, state: str = "active", run: int = 1) -> None:
    people = ((f"{state}{one}", f"{state}-{one}") for one in range(number))
    put(
        ledger,
        "person",
        (
            (binding, sort_key("D", logon), "D", logon, "", "", "ad", id_, "", state, run)
            for logon, id_ in people
        ),
    )


def steps(ledger: SqliteLedger, what: Callable[[], Any]) -> int:
    """Of SQLite's virtual machine, to the hundred."""
    count = [0]

    def more() -> bool:
        count[0] += 100
        return False

    ledger._db.set_progress_handler(more, 100)
    try:
        what()
    finally:
        ledger._db.set_progress_handler(None)
    return count[0]


def test_what_is_held_of_one_customer_is_found_without_the_others_plans(
    ledger: SqliteLedger, acme: int
) -> None:
    ledger.hold(acme, "mine", [], {}, [], NOW, total=0, pilot=False)
    rows = ((None, 1, f"{one}", NOW, "[]", "{}", 0, None, None) for one in range(MANY))
    put(ledger, "plan", rows)
    assert [plan.digest for plan in ledger.held(NOW, acme)] == ["mine"]
    assert len(ledger.held(NOW)) == MANY + 1
    assert steps(ledger, lambda: ledger.held(NOW, acme)) < 1_000


def test_a_leavers_new_key_is_looked_for_among_the_customers_own_people(
    ledger: SqliteLedger, acme: int
) -> None:
    put_people(ledger, 1, MANY)
    put_people(ledger, acme, 200)
    put_people(ledger, acme, 100, "left")
    put(
        ledger,
        "person",
        [
            (acme, sort_key("D", f"new{one}"), "D", f"new{one}", "", "", "ad", id_, "", "active", 1)
            for one, id_ in enumerate(["left-3", "left-4", "left-4"])
        ],
    )
    found: list[Any] = []
    cost = steps(ledger, lambda: found.append(ledger.successors(acme)))
    assert found[-1] == {sort_key("D", "left3"): "D//new0"}, "of left4 there are two, so neither is told"
    assert cost < 20_000


def test_old_runs_go_without_a_look_at_everybody_for_each_of_them(ledger: SqliteLedger, acme: int) -> None:
    put(ledger, "run", ((None, acme, NOW - 40 * DAY, NOW, "done", 0, None, "{}") for _ in range(1_000)))
    put_people(ledger, acme, 2_000)
    put_people(ledger, acme, 1, "left", 7)
    gone = [0]
    assert steps(ledger, lambda: gone.append(ledger.prune(NOW, 30))) < 500_000
    assert gone[-1] == 998, "the last stays, and the one that says since when somebody is gone"
    assert ledger.run_started(7) == NOW - 40 * DAY


def changes(number: int) -> list[Change]:
    return [
        Change(
            UPDATE, PERSON, sort_key("D", f"u{one}"), f"D//u{one}", None, ("D", f"u{one}", "n", "m"), ("ad", "", "")
        )
        for one in range(number)
    ]  # fmt: skip


def test_acknowledgements_look_for_problems_and_approvals_of_the_same_customer_only(
    ledger: SqliteLedger, acme: int
) -> None:
    run = ledger.start_run(acme, NOW)
    accepted = changes(500)

    def acknowledge() -> None:
        ledger.acknowledge(run, acme, 1, accepted, [], NOW)

    acknowledge()
    alone = steps(ledger, acknowledge)
    put(ledger, "problem", [(1, "person", b"x", "refused", "x", "", "", NOW, NOW, 1)])
    plan = (None, 1, "theirs", NOW, "[]", "{}", 0, None, None)
    put(ledger, "plan", [plan])
    put(ledger, "plan_change", [(1, "person", b"x", "[]")])
    assert steps(ledger, acknowledge) < alone + 1_000


def test_waits_of_many_customers_are_no_part_of_what_is_read_with_every_opening(
    ledger: SqliteLedger, acme: int
) -> None:
    put(ledger, "meta", ((f"wait:{one}", "[1, 2, 3]") for one in range(MANY)))
    ledger.note_wait("mine", Wait(NOW, NOW + 1))
    assert steps(ledger, ledger.meta) < 1_000
    assert {"lineage", "serial"} <= ledger.meta().keys() and ledger.wait("mine") == Wait(NOW, NOW + 1)


def test_what_went_a_short_while_ago_is_summed_up_without_all_older_runs(
    ledger: SqliteLedger, acme: int
) -> None:
    def run(at: float, gone: int) -> tuple[Any, ...]:
        counts = f'{{"created": 1, "updated": 2, "gone": {gone}}}'
        return None, acme, at, at, "done", 0, None, f'{{"followed": true, "people": {counts}}}'

    put(ledger, "run", [run(NOW - 2 * DAY, 9) for _ in range(MANY)])
    recent = [run(NOW - 60, 1), run(NOW - 2 * DAY, 9), run(NOW - 50, 2)]  # amid them the clock was wrong
    put(ledger, "run", recent)
    found: list[Any] = []
    cost = steps(ledger, lambda: found.append(ledger.followed_counts(acme, NOW - 3_600)))
    assert found[-1] == {"created": 2, "updated": 4, "gone": 3} and cost < 5_000


def test_older_runs_are_paged_from_where_one_is(ledger: SqliteLedger, acme: int) -> None:
    put(ledger, "run", ((None, acme, NOW, NOW, "done", 0, None, "{}") for _ in range(MANY)))
    assert [row.id for row in ledger.runs(acme, 2)] == [MANY, MANY - 1]
    assert [row.id for row in ledger.runs(acme, 2, 9)] == [8, 7]
    assert steps(ledger, lambda: ledger.runs(acme, 2, 9)) < 1_000


def test_problems_that_were_told_are_not_written_again_with_every_run(
    ledger: SqliteLedger, acme: int
) -> None:
    put(
        ledger,
        "problem",
        (
            (acme, "person", b"%d" % one, "refused", "x", "", "", NOW, NOW, int(one > 0))
            for one in range(1_000)
        ),
    )
    before = ledger._db.total_changes()
    ledger.tell(acme, [], NOW)
    assert ledger.untold_refusals(acme) == 0 and ledger._db.total_changes() - before < 10


def test_people_and_seats_are_counted_as_far_as_it_matters(ledger: SqliteLedger, acme: int) -> None:
    put_people(ledger, acme, MANY)
    put(ledger, "seat", ((acme, b"all\0%d" % one, "ad", "active", 1) for one in range(MANY)))
    assert ledger.people_there(acme) == ledger.active_seats(acme, b"all") == MANY
    assert ledger.people_there(acme, 50) == ledger.active_seats(acme, b"all", 50) == 50
    assert steps(ledger, lambda: ledger.people_there(acme, 50)) < 1_500
    assert steps(ledger, lambda: ledger.active_seats(acme, b"all", 50)) < 1_500


def test_the_seats_of_few_who_left_are_found_by_their_keys(ledger: SqliteLedger, acme: int) -> None:
    put(ledger, "grouping", ((acme, name, "", "", "ad", "", "", "active", 1) for name in (b"a", b"b")))
    put(ledger, "seat", ((acme, b"a\0%d" % one, "ad", "active", 1) for one in range(MANY)))
    put(ledger, "seat", [(acme, b"b\0007", "ad", "left", 1), (1, b"a\0007", "ad", "active", 1)])
    assert steps(ledger, lambda: ledger.unseat(acme, [b"7"])) < 1_000
    assert ledger._rows("SELECT binding, key FROM seat WHERE state = 'doubt'") == [(acme, b"a\0007")]


def test_a_followed_change_is_weighed_without_counting_a_large_company(
    ledger: SqliteLedger, acme: int
) -> None:
    put_people(ledger, acme, MANY)
    put(ledger, "seat", ((acme, b"all\0%d" % one, "ad", "active", 1) for one in range(MANY)))
    job: Any = SimpleNamespace(guards=Guards())
    following = Following(job, SimpleNamespace(ledger=ledger), SimpleNamespace(id=acme), NOW)  # type: ignore[arg-type]
    gathered = SimpleNamespace(name="ad", people=SimpleNamespace(count=1))
    following.part = SimpleNamespace(fresh=SimpleNamespace(was=()), gathered=gathered)  # type: ignore[assignment]

    def weighed(facts: Facts) -> tuple[str, ...]:
        plan: Any = SimpleNamespace(facts=facts)
        following.weigh(plan)
        return judge(facts, job.guards, first_delivery=False, first_approved=True).reasons

    few = Facts(updates=30, leavers=9, member_loss={"All": (600, ENOUGH)})
    reasons: list[Any] = []
    assert steps(ledger, lambda: reasons.extend(weighed(few))) < 30_000 and not reasons
    assert not weighed(Facts(updates=MANY // 4, member_loss={"All": (MANY // 4, ENOUGH)}))
    reasons += weighed(Facts(leavers=51, member_loss={"All": (MANY // 2, ENOUGH)}))
    assert [f"of {MANY:,} people" in reason for reason in reasons] == [True, True], "counted after all"
