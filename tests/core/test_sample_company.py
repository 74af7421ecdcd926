"""The sample company is the same on every machine, and as awkward as promised."""

from __future__ import annotations

import csv
import tomllib
from collections import Counter
from hashlib import sha256
from pathlib import Path

import pytest
from tests.core.autodesk_kit import Client

from rosterd import sample_company
from rosterd.sandbox import serve
from rosterd.settings import load

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


def test_the_group_of_the_3d_printer_comes_when_it_is_asked_for(tmp_path: Path) -> None:
    plain, printing = tmp_path / "plain", tmp_path / "printing"
    for day, members in ((1, 8), (2, 8)):
        people, seats = company(plain, day)
        sample_company.write(printing, day, printers=True)
        more = [seat for seat in rows(printing / "groups.csv") if seat not in seats]
        emails = {person["logon"]: person["email"] for person in people}
        assert (plain / "people.csv").read_bytes() == (printing / "people.csv").read_bytes()
        assert {seat["group"] for seat in more} == {"3D-Printer-Users"}
        assert len({seat["logon"] for seat in more}) == len(more) == members
        assert all(emails[seat["logon"]].endswith("@acme.example") for seat in more)
    assert "nhat.vu" in {seat["logon"] for seat in more}


def emails(folder: Path, day: int) -> dict[str, str]:
    """The status of the account by e-mail address."""
    return {person["email"]: person["status"] for person in company(folder, day)[0]}


def test_who_has_access_at_autodesk(tmp_path: Path) -> None:
    before, after = emails(tmp_path / "one", 1), emails(tmp_path / "two", 2)
    application = sample_company.autodesk()["applications"]["plant-viewer"]
    levels = Counter(each["accessLevel"] for each in application["collaborators"])
    addresses = {each["email"].lower() for each in application["collaborators"]}
    assert levels == {"OWNER": 1, "EDITOR": 4, "VIEWER": 3}
    assert addresses - before.keys() == {"rowan.field@contractor.example"}
    assert addresses & (before.keys() - after.keys()) == {"benoit.gauthier@acme.example"}
    assert [address for address in addresses if before.get(address) == "disabled"] == [
        "greta.alt@acme.example"
    ]


def test_who_is_in_the_twins(tmp_path: Path) -> None:
    before, after = emails(tmp_path / "one", 1), emails(tmp_path / "two", 2)
    document = sample_company.autodesk()
    known = {each["userId"] for each in document["applications"]["plant-viewer"]["collaborators"]}
    twins = [twin["users"] for twin in document["twins"].values()]
    entries = {subject: entry for users in twins for subject, entry in users.items()}
    addresses = {entry["email"] for entry in entries.values() if "email" in entry}
    without = {subject: entry["name"] for subject, entry in entries.items() if "email" not in entry}
    assert len(twins) == 2
    assert addresses <= before.keys()
    assert addresses & (before.keys() - after.keys()) == {"matthias.schafer2@acme.example"}
    assert [name for subject, name in without.items() if subject in known] == ["Hạnh Đỗ"]
    assert [subject for subject in without if subject.startswith("urn:adsk.dtg:")] == [
        entry["group"] for entry in entries.values() if "group" in entry
    ]
    assert len(without) == 3
    assert {type(entry["accessLevel"]) for entry in entries.values()} == {int, str}


def test_the_pretend_autodesk_serves_it() -> None:
    """Whoever signs in with the settings may read every place and register for the printer."""
    document = sample_company.autodesk()
    given = tomllib.loads(sample_company.settings(Path(), "http://a", "http://b", autodesk_url="http://c"))
    customer = given["customers"]["acme"]
    own = customer["autodesk"]
    with serve(autodesk=document) as server, Client(server.port) as client:
        basic = f"{own['client_id']}:{own['client_secret']}"
        assert client.form(basic, grant_type="refresh_token", refresh_token=own["refresh_token"])[0] == 200
        for application in own["applications"]:
            body = client.ask(f"/applications/v1/clients/{application['id']}/collaborators")[1]
            assert body["results"] == document["applications"][application["id"]]["collaborators"]
        for twin in own["twins"]:
            assert (
                client.ask(f"/tandem/v1/twins/{twin['id']}/users")[1]
                == document["twins"][twin["id"]]["users"]
            )
        for printer in customer["printers"]["registrations"]:
            assert client.register(path=f"/ps/v1/print/printers/{printer}/secondary_registration")[0] == 200
        back = {"redirect_uri": "http://127.0.0.1:49152/callback", "client_id": own["client_id"]}
        assert client.authorize(**back)[0] == 302


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


def test_autodesk_and_the_printers_are_in_the_settings_when_they_are_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "rosterd.toml"
    urls = ("http://127.0.0.1:1/orbix", "http://127.0.0.1:1/token")
    plain = sample_company.settings(Path(), *urls)
    text = sample_company.settings(Path(), *urls, autodesk_url="http://127.0.0.1:2")
    assert text.startswith(plain)
    assert "autodesk" not in plain
    path.write_text(text, encoding="utf-8")
    path.chmod(0o600)
    customer = load(path, {}).settings.customers["acme"]
    assert customer.autodesk is not None
    assert customer.printers is not None
    assert customer.autodesk.base_url == customer.printers.base_url == "http://127.0.0.1:2"
    assert customer.printers.registrations["874"].group == "3D-Printer-Users"
