"""People and groups from CSV files: whole, or a SourceError that says where and what to do."""

from __future__ import annotations

import csv
import io
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests import fakeldap
from tests.doors.source_contract import Rows, SourceContract

from rosterd.core.doors import Batch, Proof, Source
from rosterd.errors import SourceError, Stopped
from rosterd.sources.csv import MAX_COLUMNS, MAX_FIELD, ROWS, CsvSource
from rosterd.sources.files import MAX_FILE
from rosterd.sources.ldap import LdapSource
from rosterd.sources.settings import CsvSettings, LdapSettings

HEADER = "uid,mail\n"
PEOPLE = HEADER + "ana,ana@acme.example\nbob,\n"


def source(
    path: Path, *, needed: tuple[str, ...] = ("uid", "mail"), stop: threading.Event | None = None, **more: Any
) -> CsvSource:
    told = {
        "kind": "csv",
        "path": str(path),
        "settle": "0s",
        "people": {"logon": "{{ uid }}", "domain": "NDD"},
    }
    checked = CsvSettings.model_validate({**told, **more})
    return CsvSource("hq", checked, needed, ("cn",), stop or threading.Event())


def read(path: Path, **more: Any) -> tuple[list[Batch], Proof]:
    feed = source(path, **more).people()
    return list(feed), feed.proof()


def rows(path: Path, **more: Any) -> list[list[str]]:
    return [[str(cell) for cell in row] for batch in read(path, **more)[0] for row in batch.rows]


def places(path: Path) -> list[int | str]:
    return [place for batch in read(path)[0] for place in batch.places]


@pytest.fixture
def file(tmp_path: Path) -> Callable[[str | bytes], Path]:
    def write(content: str | bytes) -> Path:
        path = tmp_path / "people.csv"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


def failing(path: Path, **more: Any) -> SourceError:
    """The error that reading ends with: exit 5, with the file's name and a next step."""
    with pytest.raises(SourceError) as caught:
        read(path, **more)
    error = caught.value
    assert error.exit_code == 5
    assert error.where == f"source hq, {path.name}"
    assert error.hint or error.again
    return error


class TestCsvKeepsTheContract(SourceContract):
    @pytest.fixture(autouse=True)
    def _folder(self, tmp_path: Path) -> None:
        self.folder = tmp_path

    @contextmanager
    def furnished(
        self,
        people: Rows,
        groups: Rows | None = None,
        *,
        cut: bool = False,
        stop: threading.Event | None = None,
    ) -> Iterator[Source]:
        path = self.folder / "people.csv"
        text = io.StringIO()
        csv.writer(text).writerows([("uid", "mail"), *people])
        path.write_text(text.getvalue()[: -3 if cut else None], encoding="utf-8", newline="")
        more: dict[str, Any] = {}
        if groups is not None:
            other = self.folder / "groups.csv"
            other.write_text("cn,uid\n" + "".join(f"{cn},{uid}\n" for cn, uid in groups), encoding="utf-8")
            more["groups"] = {"path": str(other), "name": "{{ cn }}", "member": "{{ uid }}"}
        yield source(path, stop=stop, **more)


class Quiet:
    """A log that nobody reads."""

    def info(self, event: str, **fields: object) -> None:
        pass

    warning = info


class TestLdapKeepsTheContract(SourceContract):
    @contextmanager
    def furnished(
        self,
        people: Rows,
        groups: Rows | None = None,
        *,
        cut: bool = False,
        stop: threading.Event | None = None,
    ) -> Iterator[Source]:
        def search(peer: fakeldap.Peer, request: fakeldap.Request) -> None:
            if "uid" not in {name.lower() for name in request.attributes}:
                for number, (cn, _) in enumerate(groups or ()):
                    peer.send(fakeldap.entry(request.id, f"cn=g{number},{BASE}", {"cn": [cn]}))
                peer.send(fakeldap.done(request.id))
                return
            start = int(request.cookie or b"0")
            for number, (uid, mail) in enumerate(people[start : start + 10], start):
                found: dict[str, list[bytes | str]] = {"uid": [uid], **({"mail": [mail]} if mail else {})}
                peer.send(fakeldap.entry(request.id, f"uid=p{number},{BASE}", found))
            end = start + 10
            if cut and end > 10:
                peer.send(fakeldap.done(request.id, None, 51))
            else:
                peer.send(fakeldap.done(request.id, str(end).encode() if end < len(people) else b""))

        with fakeldap.serving(search) as fake:
            told = {
                "kind": "ldap",
                "urls": [fake.url],
                "base": BASE,
                "page_size": 10,
                "timeout": "5s",
                "people": {"logon": "{{ uid }}", "domain": "NDD"},
                "groups": {"name": "{{ cn }}"} if groups is not None else None,
            }
            checked = LdapSettings.model_validate(told)
            yield LdapSource("hq", checked, ("uid", "mail"), ("cn",), stop or threading.Event(), Quiet())


BASE = "dc=acme,dc=example"


# What a file may look like


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_the_separator_is_recognised_from_the_header(file: Callable[[str], Path], separator: str) -> None:
    path = file("uid,mail\nana,x@acme.example\n".replace(",", separator))
    assert rows(path) == [["ana", "x@acme.example"]]
    assert rows(path, separator=separator) == [["ana", "x@acme.example"]]


def test_other_separators_in_the_header_do_not_mislead(file: Callable[[str], Path]) -> None:
    path = file('uid;mail;"notes, and, more, and, more"\nana;x@acme.example;a,b\n')
    assert rows(path) == [["ana", "x@acme.example", "a,b"]]


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_names_of_columns_may_be_quoted(file: Callable[[str], Path], separator: str) -> None:
    assert rows(file(f'"uid"{separator}"mail"\n"ana"{separator}"x"\n')) == [["ana", "x"]]
    assert rows(file(f'"ui,d;|x"{separator}"uid"{separator}mail\n1{separator}ana{separator}x\n')) == [
        ["1", "ana", "x"]
    ]


def test_columns_are_found_in_any_case_and_order_with_spaces_around(file: Callable[[str], Path]) -> None:
    feed = source(file(" Mail ,Room, UID\nm,r,u\n")).people()
    assert feed.attributes == ("Mail", "Room", "UID")
    assert [list(row) for batch in feed for row in batch.rows] == [["m", "r", "u"]]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_line_ends(file: Callable[[str], Path], end: str) -> None:
    path = file(PEOPLE.replace("\n", end))
    assert rows(path) == [["ana", "ana@acme.example"], ["bob", ""]]
    assert places(path) == [2, 3]


def test_places_are_the_lines_where_records_start(file: Callable[[str], Path]) -> None:
    path = file('uid,mail\na,"one\ntwo"\nb,\n\n\nc,"1\r\n2\r\n3"\nd,\n"e""",""\n')
    assert [row[0] for row in rows(path)] == ["a", "b", "c", "d", 'e"']
    assert places(path) == [2, 4, 7, 10, 11]


def test_places_stay_right_over_many_batches(file: Callable[[str], Path]) -> None:
    count = 2 * ROWS + 10
    path = file(HEADER + "".join(f'p{i},"a\nb"\n' if i % 7 == 0 else f"p{i},\n" for i in range(count)))
    found = places(path)
    line, expected = 2, []
    for i in range(count):
        expected.append(line)
        line += 2 if i % 7 == 0 else 1
    assert found == expected


def test_blank_lines_are_no_entries(file: Callable[[str], Path]) -> None:
    batches, proof = read(file("uid,mail\n\nana,x\n,\n   \n\nbob,y\n\n"))
    assert [row[0] for batch in batches for row in batch.rows] == ["ana", "   ", "bob"]
    assert proof.entries == 3


def test_ragged_rows_come_as_they_are(file: Callable[[str], Path]) -> None:
    assert rows(file("uid,mail\nana\nbob,x,y\n")) == [["ana"], ["bob", "x", "y"]]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(
            st.text(
                st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=9
            ),
            st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=9),
        ),
        max_size=9,
    )
)
def test_whatever_was_written_comes_back(tmp_path: Path, people: list[tuple[str, str]]) -> None:
    path = tmp_path / "people.csv"
    with path.open("w", encoding="utf-8", newline="") as out:
        csv.writer(out, quoting=csv.QUOTE_ALL).writerows([("uid", "mail"), *people])
    assert rows(path) == [list(person) for person in people]


@pytest.mark.parametrize("encoding", ["cp1252", "latin-1", "utf-16", "utf-16-le", "utf-8"])
def test_declared_encodings(file: Callable[[bytes], Path], encoding: str) -> None:
    path = file("uid,mail\nJoão,ü\n".encode(encoding))
    assert rows(path, encoding=encoding) == [["João", "ü"]]


# Faults


def test_fault_48_a_file_that_is_still_written_is_not_read(file: Callable[[str], Path]) -> None:
    path = file(PEOPLE)
    done = threading.Event()

    def grow() -> None:
        for number in range(4):
            with path.open("a") as out:
                out.write(f"p{number},\n")
            time.sleep(0.05)
        done.set()

    writer = threading.Thread(target=grow)
    writer.start()
    found = rows(path, settle="300ms")
    assert done.is_set()
    writer.join()
    assert len(found) == 6


def test_fault_48_waiting_for_a_file_ends_with_the_stop(file: Callable[[str], Path]) -> None:
    path = file(PEOPLE)
    stop = threading.Event()
    threading.Timer(0.1, stop.set).start()
    start = time.monotonic()
    with pytest.raises(Stopped):
        read(path, settle="30s", stop=stop)
    assert time.monotonic() - start < 10


def test_fault_48_a_file_from_the_future_is_read_when_it_stands_still(file: Callable[[str], Path]) -> None:
    path = file(PEOPLE)
    os.utime(path, (time.time() + 3_600, time.time() + 3_600))
    assert len(rows(path, settle="100ms")) == 2


def replace(path: Path) -> None:
    other = path.with_name("new")
    other.write_text(PEOPLE)
    other.rename(path)


def append(path: Path) -> None:
    with path.open("a") as out:
        out.write("eve,\n")


def touch(path: Path) -> None:
    os.utime(path, (1, 1))


def truncate(path: Path) -> None:
    os.truncate(path, 12)


def remove(path: Path) -> None:
    path.unlink()


@pytest.mark.parametrize("change", [replace, append, touch, truncate, remove])
def test_fault_49_a_file_that_changes_while_it_is_read(
    file: Callable[[str], Path], change: Callable[[Path], None]
) -> None:
    path = file(HEADER + "".join(f"p{number},\n" for number in range(ROWS + 5)))
    feed = source(path).people()
    batches = iter(feed)
    next(batches)
    change(path)
    with pytest.raises(SourceError) as caught:
        list(batches)
    assert caught.value.again
    with pytest.raises(RuntimeError):
        feed.proof()


def test_fault_49_an_append_after_the_last_read_is_seen(file: Callable[[str], Path]) -> None:
    path = file(PEOPLE)
    batches = iter(source(path).people())
    next(batches)
    append(path)
    with pytest.raises(SourceError, match="changed while it was read"):
        list(batches)


def test_fault_50_a_header_alone_is_a_whole_read_of_nobody(file: Callable[[str], Path]) -> None:
    assert read(file(HEADER))[1].entries == 0
    assert read(file(HEADER.strip()))[1].entries == 0


@pytest.mark.parametrize("content", [b"", b"\n", b"\r\n\r\n", b"\xef\xbb\xbf", b",,,\n", b'""\n'])
def test_fault_50_no_header(file: Callable[[bytes], Path], content: bytes) -> None:
    assert "header" in str(failing(file(content))) + failing(file(content)).hint or "column" in str(
        failing(file(content))
    )


@pytest.mark.parametrize(
    ("content", "line"),
    [
        ('uid,mail\nana,x\nbob,"y\ncarl,z\ndora,z\n', 3),
        ('uid,mail\nana,"x\n', 2),
        ('uid,mail\nana,x\n"bob,y', 3),
        ('uid,mail\nana,"a\nb"\nbob,"x', 4),
        ('uid,mail\nana,"x"y\nbob,z\n', 2),
        ('uid,mail\nana,x\nbob,"x" \n', 3),
    ],
)
def test_fault_51_a_quote_that_is_not_closed(file: Callable[[str], Path], content: str, line: int) -> None:
    error = failing(file(content))
    assert error.what.startswith(f"line {line}: ")


def test_fault_51_an_open_quote_before_many_lines(file: Callable[[str], Path]) -> None:
    """The line that is named is the one with the quote, not the last one of the file."""
    text = "".join(f"p{number},x\n" for number in range(ROWS + 50))
    error = failing(file(HEADER + text + 'bad,"x\n' + text))
    assert error.what.startswith(f"line {ROWS + 52}: ")


def test_fault_51_an_open_quote_in_the_header(file: Callable[[str], Path]) -> None:
    assert failing(file('uid,"mail\nana,x\n')).what.startswith("line 1: ")


@pytest.mark.parametrize(
    ("header", "said"),
    [
        ("uid,mail,uid", 'the column "uid" appears twice'),
        ("uid,mail,UID", 'the column "uid" appears twice'),
        ("uid,other", 'the column "mail" is missing (found "uid", "other"'),
        ("uid mail", 'the column "mail" is missing'),
        ("ana,ana@acme.example", 'the column "mail" is missing'),
        ("uid:mail", 'the column "mail" is missing'),
        ("uid,m\u0430il", 'the column "mail" is missing'),  # a Cyrillic a
    ],
)
def test_fault_52_columns(file: Callable[[str], Path], header: str, said: str) -> None:
    error = failing(file(f"{header}\nana,x\n"))
    assert error.what.startswith("line 1: ")
    assert said in error.what


def test_fault_52_a_declared_separator_that_is_wrong(file: Callable[[str], Path]) -> None:
    error = failing(file(PEOPLE), separator=";")
    assert "';'" in error.what
    assert "separator" in error.hint


@pytest.mark.parametrize(
    ("content", "said", "hint"),
    [
        (b"uid,mail\nJo\xe3o,x\n", "line 2: byte 0xe3 at offset 11 is not UTF-8", "cp1252"),
        (b"uid,mail\nana,x\n\xff,y\n", "line 3: byte 0xff at offset 15", "cp1252"),
        (b"uid,mail\n\x81\xe3,x\n", "line 2: byte 0x81 at offset 9", "latin-1"),
        ("uid,mail\nana,x\n".encode("utf-16"), "UTF-16", "encoding"),
        ("uid,mail\nana,x\n".encode("utf-16-be"), "NUL byte at offset 0", "encoding"),
        (b"uid,mail\nana,x\0y\n", "a NUL byte at offset 14", "UTF-8"),
        (b"uid,mail\nana,\xed\xb0\x80\n", "byte 0xed at offset 13", "encoding"),
        (b"uid,mail\nana,\xc3", "byte 0xc3 at offset 13", "encoding"),
    ],
)
def test_fault_53_encodings(file: Callable[[bytes], Path], content: bytes, said: str, hint: str) -> None:
    error = failing(file(content))
    assert said in error.what
    assert hint in error.what + error.hint


def test_fault_53_a_late_byte_has_its_line_and_offset(file: Callable[[bytes], Path]) -> None:
    good = b"".join(b"p%d,x\n" % number for number in range(70_000))
    error = failing(file(b"uid,mail\n" + good + b"Jo\xe3o,x\n"))
    assert error.what == f"line 70002: byte 0xe3 at offset {9 + len(good) + 2} is not UTF-8"
    late = failing(file(b"uid,mail\n" + good + b"\0,x\n"))
    assert late.what == f"a NUL byte at offset {9 + len(good)}"


def test_fault_53_a_bom_is_fine(file: Callable[[bytes], Path]) -> None:
    feed = source(file(b"\xef\xbb\xbf" + PEOPLE.encode())).people()
    assert feed.attributes == ("uid", "mail")
    assert len(list(feed)) == 1


def test_fault_53_a_wrong_declaration(file: Callable[[bytes], Path]) -> None:
    assert "ascii" in failing(file("uid,mail\nJoão,x\n".encode()), encoding="ascii").what
    assert failing(file(b"uid,mail\nana,x\n"), encoding="utf-16").exit_code == 5


def link(path: Path) -> None:
    path.symlink_to(path.with_name("elsewhere.csv"))


def fifo(path: Path) -> None:
    os.mkfifo(path)


def folder(path: Path) -> None:
    path.mkdir()


def device(path: Path) -> None:
    os.mknod(path, 0o600 | 0o020000, os.makedev(1, 3))


def missing(_path: Path) -> None:
    pass


@pytest.mark.parametrize("make", [link, fifo, folder, missing])
def test_fault_54_no_regular_file(tmp_path: Path, make: Callable[[Path], None]) -> None:
    (tmp_path / "elsewhere.csv").write_text(PEOPLE)
    path = tmp_path / "people.csv"
    make(path)
    start = time.monotonic()
    error = failing(path)
    assert time.monotonic() - start < 2
    assert str(path) in error.hint


def test_fault_54_a_device(tmp_path: Path) -> None:
    error = failing(Path("/dev/null"))
    assert error.what == "is not a regular file"


def test_fault_54_a_file_we_may_not_read(file: Callable[[str], Path]) -> None:
    path = file(PEOPLE)
    path.chmod(0)
    if os.access(path, os.R_OK):  # root may read everything; a path through a file is refused to root as well
        path = path / "below"
    assert "cannot be opened" in failing(path).what


def test_fault_54_a_link_in_the_folders_above_is_fine(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "people.csv").write_text(PEOPLE)
    (tmp_path / "mount").symlink_to("real")
    assert len(rows(tmp_path / "mount" / "people.csv")) == 2


# Caps, and a file that is cut


def test_fault_C1_a_file_cut_at_any_byte_is_refused_warned_of_or_shorter(
    file: Callable[[bytes], Path],
) -> None:
    """A cut ends the read, or is told, or falls on the end of a line (then the guards look at who is missing)."""
    people = [["ana", "a,b"], ["bob", "x\ny"], ["João", "ü"], ["d", ""]]
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([["uid", "mail"], *people])
    whole = text.getvalue().encode()
    for size in range(len(whole)):
        path = file(whole[:size])
        try:
            batches, proof = read(path)
        except SourceError as error:
            assert error.exit_code == 5
            continue
        found = [list(row) for batch in batches for row in batch.rows]
        complete = whole[:size].endswith(b"\n")
        assert complete or proof.warnings, size
        sure = max(len(found) - (not complete), 0)
        assert found[:sure] == people[:sure]


def test_fault_C1_a_last_line_without_its_end_is_told(file: Callable[[str], Path]) -> None:
    batches, proof = read(file(PEOPLE + "carl,c@acme.example"))
    assert len(batches[0].rows) == 3
    assert "no line end" in proof.warnings[0]


def test_fault_C1_a_last_line_with_too_few_fields_is_refused(file: Callable[[str], Path]) -> None:
    assert failing(file(PEOPLE + "car")).what == "ends in the middle of line 4"


def test_fault_C3_a_field_over_its_cap(file: Callable[[str], Path]) -> None:
    assert len(rows(file(HEADER + f"ana,{'x' * MAX_FIELD}\n"))) == 1
    assert failing(file(HEADER + f"ana,x\nbob,{'x' * (MAX_FIELD + 1)}\n")).what.startswith("line 3: ")


def test_fault_C3_a_line_over_its_cap(file: Callable[[str], Path]) -> None:
    columns = 100
    header = "uid,mail," + ",".join(f"c{i}" for i in range(columns - 2)) + "\n"
    good = ",".join(["x" * 600] * columns) + "\n"
    assert len(rows(file(header + good))) == 1
    long = ",".join(["x" * 700] * columns) + "\n"
    assert failing(file(header + good + long)).what.startswith("line 3: ")


@pytest.mark.parametrize("before", [0, 3, 32_760, 65_530, 262_140, 300_000])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_fault_C3_the_cap_of_a_line_wherever_it_lies(
    file: Callable[[str], Path], before: int, end: str
) -> None:
    lines = [HEADER.strip(), *["x" * 90 + ","] * (before // 92), "y" * (before % 92)]
    for size, fits in ((65_536 - len(end), True), (65_537, False)):
        fields = [",".join(["z" * 599] * 110)[:size].ljust(size, "z"), "end,"]
        path = file(end.join([*lines, *fields, ""]))
        if fits:
            assert rows(path)[-1] == ["end", ""]
        else:
            assert failing(path).what == f"line {len(lines) + 1}: has more than 65,536 bytes"


def test_fault_C3_a_file_without_line_ends(file: Callable[[str], Path]) -> None:
    assert failing(file("uid,mail" * 100_000)).what == "line 1: has more than 65,536 bytes"


def test_fault_C3_a_header_over_its_cap(file: Callable[[str], Path]) -> None:
    assert failing(file("uid,mail," + "x" * 100_000 + "\n")).what.startswith("line 1: ")


def test_fault_C3_columns_over_their_cap(file: Callable[[str], Path]) -> None:
    names = ["uid", "mail", *(f"c{number}" for number in range(MAX_COLUMNS - 2))]
    assert read(file(",".join(names) + "\n"))[1].entries == 0
    assert "columns, more than" in failing(file(",".join([*names, "one.more"]) + "\n")).what


def test_fault_C3_a_file_over_its_cap(file: Callable[[str], Path]) -> None:
    path = file(PEOPLE)
    os.truncate(path, MAX_FILE + 1)
    assert "more than" in failing(path).what


# The groups' file


def test_groups_have_their_own_separator_and_encoding_or_those_of_the_people(tmp_path: Path) -> None:
    path = tmp_path / "people.csv"
    path.write_bytes("uid;mail\nJoão;x\n".encode("cp1252"))
    other = tmp_path / "groups.csv"
    other.write_bytes("cn;uid\nCafé;João\n".encode("cp1252"))
    table = {"path": str(other), "name": "{{ cn }}", "member": "{{ uid }}"}
    both: dict[str, Any] = {"encoding": "cp1252", "separator": ";"}
    feed = source(path, **both, groups=table).groups()
    assert feed is not None
    assert [list(row) for batch in feed for row in batch.rows] == [["Café", "João"]]
    other.write_text("cn|uid\nCafé|João\n", encoding="utf-8")
    feed = source(path, **both, groups={**table, "encoding": "utf-8", "separator": "|"}).groups()
    assert feed is not None
    assert [list(row) for batch in feed for row in batch.rows] == [["Café", "João"]]


def test_an_empty_groups_file_is_a_whole_read(tmp_path: Path) -> None:
    path = tmp_path / "groups.csv"
    path.write_text("cn,uid\n")
    feed = source(path, groups={"path": str(path), "name": "{{ cn }}", "member": "{{ uid }}"}).groups()
    assert feed is not None
    assert list(feed) == []
    assert feed.proof().entries == 0
