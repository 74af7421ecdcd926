"""What every source keeps (core.doors.Source): the same tests for all of them.

A test file of a source defines a class that inherits `SourceContract` and gives it `furnished`.
"""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from contextlib import AbstractContextManager
from typing import TypeAlias

import pytest

from rosterd.core.doors import Batch, Feed, Source
from rosterd.errors import SourceError, Stopped

Rows: TypeAlias = "list[tuple[str, str]]"  # uid, mail; or group, member

SOME: Rows = [("ana", "ana@acme.example"), ("bob", ""), ("João", "j@acme.example"), ("d d", "x\\y,z;#+")]


class SourceContract(ABC):
    """`uid` and `mail` are the people's attributes, `cn` the groups' name."""

    batch = 4  # rows after which another batch begins

    @abstractmethod
    def furnished(
        self,
        people: Rows,
        groups: Rows | None = None,
        *,
        cut: bool = False,
        stop: threading.Event | None = None,
    ) -> AbstractContextManager[Source]:
        """A source that holds these; with `cut` its reading of people breaks off after some of them."""

    def test_its_name_is_that_of_the_settings(self) -> None:
        with self.furnished(SOME) as source:
            assert source.name == "hq"

    def test_attributes_are_known_before_the_first_batch(self) -> None:
        with self.furnished(SOME) as source:
            feed = source.people()
            assert [name.casefold() for name in feed.attributes] == ["uid", "mail"]
            list(feed)
            source.close()

    def test_every_entry_comes_once_and_as_it_is(self) -> None:
        with self.furnished(SOME) as source:
            rows = [tuple(row) for batch in source.people() for row in batch.rows]
            source.close()
        assert rows == SOME

    @pytest.mark.parametrize("count", [0, 1, 9, 10, 11, 35])
    def test_the_proof_counts_what_came(self, count: int) -> None:
        with self.furnished([(f"p{number}", "") for number in range(count)]) as source:
            feed = source.people()
            rows = [row[0] for batch in feed for row in batch.rows]
            proof = feed.proof()
            source.close()
        assert rows == [f"p{number}" for number in range(count)]
        assert proof.entries == count
        assert proof.pages >= 1
        assert proof.detail
        assert not proof.warnings

    def test_there_is_no_proof_before_the_end(self) -> None:
        with self.furnished(SOME) as source:
            feed = source.people()
            with pytest.raises(RuntimeError):
                feed.proof()
            list(feed)
            assert feed.proof().entries == len(SOME)
            source.close()

    def test_all_columns_of_a_batch_are_of_one_length(self) -> None:
        with self.furnished([(f"p{number}", "") for number in range(25)], [("Print", "p1")]) as source:
            feeds = [source.groups(), source.people()]
            batches = [batch for feed in feeds if feed is not None for batch in feed]
            source.close()
        assert batches
        for batch in batches:
            assert len(batch.rows) == len(batch.places) > 0
            for column in (batch.ids, batch.dns, batch.refs, batch.disabled, batch.members, batch.wanted):
                assert len(column) in (0, len(batch.rows))
            assert all(len(row) == len(batch.rows[0]) for row in batch.rows)

    def test_every_entry_has_a_place_of_its_own(self) -> None:
        with self.furnished([(f"p{number}", "") for number in range(25)]) as source:
            places = [place for batch in source.people() for place in batch.places]
            source.close()
        assert len(set(places)) == 25

    def test_reading_again_gives_the_same(self) -> None:
        with self.furnished(SOME, [("Print", "ana")]) as source:
            first = [self._all(source.people()), self._all(source.groups())]
            second = [self._all(source.people()), self._all(source.groups())]
            source.close()
        assert first == second

    def test_no_groups_in_the_settings_no_feed(self) -> None:
        with self.furnished(SOME) as source:
            assert source.groups() is None
            source.close()

    def test_groups_are_named(self) -> None:
        with self.furnished(SOME, [("Print", "ana"), ("Sales", "bob")]) as source:
            batches = self._all(source.groups())
            source.close()
        assert [row[0] for batch in batches for row in batch.rows] == ["Print", "Sales"]

    def test_a_read_that_breaks_off_raises_and_proves_nothing(self) -> None:
        with self.furnished([(f"p{number}", "") for number in range(25)], cut=True) as source:
            with pytest.raises(SourceError) as caught:
                feed = source.people()
                list(feed)
            source.close()
        assert caught.value.exit_code == 5
        assert caught.value.where.startswith("source hq")
        assert caught.value.hint

    def test_a_stop_ends_the_reading(self) -> None:
        stop = threading.Event()
        with self.furnished([(f"p{number}", "") for number in range(25)], stop=stop) as source:
            stop.set()
            with pytest.raises(Stopped):
                list(source.people())
            source.close()

    def test_closing_is_possible_at_any_time_and_twice(self) -> None:
        with self.furnished(SOME) as source:
            source.close()
            source.close()

    @staticmethod
    def _all(feed: Feed | None) -> list[Batch]:
        assert feed is not None
        return list(feed)
