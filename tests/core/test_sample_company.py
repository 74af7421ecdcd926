"""The sample company is the same on every machine, and as awkward as promised."""

from __future__ import annotations

import csv
import tomllib
from collections import Counter
from hashlib import sha256
from pathlib import Path

import pytest

from rosterd import sample_company

Rows = list[dict[str, str]]

DIGESTS = {
    (1, "people.csv"): "852a1278a55a80f52e54ca4dde2fde02fa6a17641caee919e8fad1040bebb434",
    (1, "groups.csv"): "c013d7102e3cf95403dd81f7a3a9d44f60b89b927515849715db89c4113cc4f5",
    (2, "people.csv"): "adc99a1e3a48f53d60a1ee4f3144c4b0b75c6281f58400a64b6171de303ec26a",
    (2, "groups.csv"): "8d668cb52cf708f14592f88a8d61750e7ea20f3b8c5aac3fb87e03963a6222e0",
}


def company(folder: Path, day: int = 1) -> tuple[Rows, Rows]:
    sample_company.write(folder, day)
    return rows(folder / "people.csv"), rows(folder / "groups.csv")


def rows(path: Path) -> Rows:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, strict=True))


@pytest.mark.parametrize(("day", "name"), DIGESTS)
def test_every_machine_writes_the_same_bytes(tmp_path: Path, day: int, name: str) -> None:
    sample_company.write(tmp_path, day)
    assert sha256((tmp_path / name).read_bytes()).hexdigest() == DIGESTS[day, name]


def test_size(tmp_path: Path) -> None:
    people, seats = company(tmp_path)
    assert list(people[0]) == ["logon", "name", "email", "department", "status", "id"]
    assert list(seats[0]) == ["group", "description", "logon"]
    assert len(people) == 1_212
    assert len({person["id"] for person in people}) == 1_212
    assert len({seat["group"] for seat in seats}) == 40
    assert len({(seat["group"], seat["logon"]) for seat in seats}) == len(seats)


def test_the_ordinary_people_are_fit_for_delivery(tmp_path: Path) -> None:
    people = company(tmp_path)[0][: sample_company.ORDINARY]
    assert len({person["logon"] for person in people}) == sample_company.ORDINARY
    assert len({person["email"] for person in people}) == sample_company.ORDINARY
    assert all(person["logon"].isascii() and person["logon"].replace(".", "").isalnum() for person in people)
    assert all(person["logon"] == person["logon"].lower() for person in people)
    assert sum(not person["name"].isascii() for person in people) > 900


def test_the_awkward_people(tmp_path: Path) -> None:
    people, _ = company(tmp_path)
    folded = Counter(person["logon"].lower() for person in people)
    shared = Counter(person["email"] for person in people if person["email"])
    assert [logon for logon, count in folded.items() if count > 1] == ["otto.brandt"]
    assert [email for email, count in shared.items() if count > 1] == ["reception@acme.example"]
    assert [person["logon"] for person in people if not person["logon"].isascii()] == ["joão.peça"]
    assert [person["logon"] for person in people if " " in person["logon"]] == ["maria clara"]
    assert [person["name"] for person in people if not person["logon"]] == ["Đinh Văn Mới"]
    assert [person["logon"] for person in people if person["status"] == "disabled"] == ["greta.alt"]
    assert [person["logon"] for person in people if person["logon"].startswith("svc-")] == ["svc-scanner"]
    assert [person["email"] for person in people if person["email"].endswith("@acme")] == ["piotr.nowak@acme"]


def test_the_awkward_groups(tmp_path: Path) -> None:
    people, seats = company(tmp_path)
    sizes = Counter(seat["group"] for seat in seats)
    known = {person["logon"] for person in people}
    assert [group for group, size in sizes.items() if size == 1] == ["Board room"]
    assert [len(group) for group in sizes if len(group) > 150] == [160]
    assert [seat["logon"] for seat in seats if seat["logon"] not in known] == ["nobody.knows"]


def test_the_second_day(tmp_path: Path) -> None:
    people, seats = company(tmp_path / "one")
    people_after, seats_after = company(tmp_path / "two", day=2)
    before = {person["id"]: person for person in people}
    after = {person["id"]: person for person in people_after}
    edges = {(seat["group"], seat["logon"]) for seat in seats}
    edges_after = {(seat["group"], seat["logon"]) for seat in seats_after}
    gone = {before[key]["logon"] for key in before.keys() - after.keys()}
    moved = {edge for edge in edges - edges_after if edge[1] not in gone}

    assert len(after.keys() - before.keys()) == 3
    assert len(gone) == 2
    assert sum(before[key] != after[key] for key in before.keys() & after.keys()) == 4
    assert {before[key]["logon"] for key in before} - {after[key]["logon"] for key in after} == gone
    assert len(moved) == 1
    assert len({(group, logon) for group, logon in edges_after - edges if logon == next(iter(moved))[1]}) == 1
    assert {group for group, _ in edges_after} - {group for group, _ in edges} == {"Label printers"}
    assert {group for group, _ in edges} <= {group for group, _ in edges_after}


def test_there_is_no_third_day(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="day 1 and day 2"):
        sample_company.write(tmp_path, 3)
    assert not list(tmp_path.iterdir())


def test_the_settings_are_toml_whatever_the_folder_is_called() -> None:
    folder = Path('a "quoted" folder')
    text = sample_company.settings(folder, "http://127.0.0.1:1/orbix", "http://127.0.0.1:1/token")
    document = tomllib.loads(text)
    source = document["customers"]["acme"]["sources"]["hr"]
    assert source["path"] == str(folder / "people.csv")
    assert source["groups"]["path"] == str(folder / "groups.csv")
    assert source["people"]["disabled"] == "{{ status == 'disabled' }}"
    assert source["people"]["exclude"] == ["svc-*"]
    assert document["orbix"]["base_url"] == "http://127.0.0.1:1/orbix"
    assert document["customers"]["acme"]["guards"] == {"first_run": "go"}
