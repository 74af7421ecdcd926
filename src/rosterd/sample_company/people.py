"""A made-up company to try rosterd on: 1,212 people, 40 groups and a few records as awkward as real ones.

Everything follows from the lists below and a digest, so every machine and every Python writes the same bytes.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from anyascii import anyascii

ORDINARY = 1_200  # people before the awkward ones join them

_NAMES = """
Inês João Mafalda Tomás Beatriz Duarte Sílvia Gonçalo Leonor Rui Conceição Simão /
    Silva Conceição Magalhães Simões Araújo Brandão Falcão Guimarães Patrício Sequeira Vilhena

Jürgen Heike Sören Käthe Matthias Annegret Björn Ulrike Günther Sabine Jörg Friederike /
    Müller Schäfer Weiß Köhler Großmann Jäger Schröder Vögele Lindner Böhm Kurzweil

Łukasz Małgorzata Paweł Agnieszka Stanisław Bożena Michał Żaneta Grzegorz Iwona Sławomir /
    Wójcik Dąbrowski Kamiński Zieliński Woźniak Jabłoński Mazur Wróbel Pawłowski Gołąb Szczęsny

Thảo Đức Hương Quốc Ngọc Bảo Linh Phương Tuấn Hạnh Khánh Dũng /
    Nguyễn Trần Lê Phạm Hoàng Huỳnh Đặng Bùi Đỗ Hồ Dương

Ayşe Çağlar Işıl Oğuz Zeynep Gökhan Şule İbrahim Elif Ümit Büşra Tuğba /
    Yılmaz Çelik Şahin Öztürk Aydın Güneş Doğan Kılıç Işık Taşkın Ünal

Zoë François Amélie Cédric Noémie Jérôme Hélène Loïc Gaëlle Benoît Éloïse Rémi /
    Lefèvre Bézier Château Dupré Gauthier Mercier Noël Pécheux Rivière Tétard Vasseur

Adébáyọ̀ Ngozi Chinedu Folákẹ́ Ìfẹ́olúwa Kelechi Ọlámidé Tèmítọ́pẹ́ Uche Yétúndé Zainab /
    Adéyẹmí Balógun Chukwu Ẹ̀kúndayọ̀ Fáladé Ìbíkúnlé Nwosu Okafor Òjó Ṣóyínká Uzoma

Kateřina Jiří Žofie Ondřej Ludmila Bořivoj Štěpánka Zdeněk Růžena Čeněk Eliška /
    Dvořák Novotná Procházka Kučera Růžička Šťastný Horáček Říha Žižka Bartoň Ježek
"""
_DEPARTMENTS = """
Accounting Engineering Facilities Finance Legal Logistics Marketing
Production Purchasing Quality Research Sales
"""
_OFFICES = "Lisboa Porto Braga Hamburg Dresden Kraków İzmir Curitiba"

# By country: given names, then family names.
NAMES = [[names.split() for names in country.split("/")] for country in _NAMES.split("\n\n")]
DEPARTMENTS = _DEPARTMENTS.split()
OFFICES = _OFFICES.split()
FLOORS = 3

PRINTER_GROUP = "3D-Printer-Users"
MAKERS = (3, 20, 30, 60, 150, 170, 180, 700)  # their numbers among the ordinary people
LEAVERS = (100, 700)  # who are gone on day 2


class Employee(NamedTuple):
    """A line of people.csv; the field names are its header."""

    logon: str
    name: str
    email: str
    department: str
    status: str
    id: str


class Membership(NamedTuple):
    """A line of groups.csv; the field names are its header."""

    group: str
    description: str
    logon: str


def write(directory: Path, day: int = 1, *, printers: bool = False) -> None:
    """Writes people.csv and groups.csv into the folder, which is made if need be.

    Day 1 is the company as it stands; day 2 the same after joiners, leavers, new names and a move. printers: with
    the group of those who may use the shared 3D printer.
    """
    if day not in (1, 2):
        raise ValueError("the sample company knows day 1 and day 2")
    employees = ordinary()
    people = [*employees, *awkward()]
    seats = [*_seats(employees), *_awkward_seats(employees)]
    if printers:
        seats += [_maker(employees[number].logon) for number in MAKERS]
    if day == 2:
        people, seats = _second_day(people, seats)
        seats += [_maker("nhat.vu")] if printers else []
    directory.mkdir(parents=True, exist_ok=True)
    _write(directory / "people.csv", Employee._fields, people)
    _write(directory / "groups.csv", Membership._fields, seats)


def _pick(count: int, *what: object) -> int:
    """A number below count that looks random and never changes."""
    return int.from_bytes(sha256(repr(what).encode()).digest()[:8]) % count


def _employee(number: int, given: str, family: str, logon: str) -> Employee:
    email = f"{logon}@acme.example"
    department = DEPARTMENTS[_pick(len(DEPARTMENTS), "department", number)]
    return Employee(logon, f"{given} {family}", email, department, "active", f"E{10_000 + number}")


def ordinary() -> list[Employee]:
    """The people nothing is wrong with. A second Inês Silva gets the logon ines.silva2."""
    employees = []
    taken: dict[str, int] = {}
    for number in range(ORDINARY):
        givens, families = NAMES[_pick(len(NAMES), "country", number)]
        given = givens[_pick(len(givens), "given", number)]
        family = families[_pick(len(families), "family", number)]
        logon = f"{_plain(given)}.{_plain(family)}"
        taken[logon] = taken.get(logon, 0) + 1
        if taken[logon] > 1:
            logon += str(taken[logon])
        employees.append(_employee(number, given, family, logon))
    return employees


def _plain(name: str) -> str:
    """Letters a to z only: `Ẹ̀kúndayọ̀` becomes `ekundayo`."""
    return "".join(letter for letter in anyascii(name).lower() if letter.isalpha())


def awkward() -> list[Employee]:
    """What every grown directory holds, with what becomes of it."""
    rows = (
        # logon, name, e-mail, status
        ("joão.peça", "João Peça", "joao.peca@acme.example", "active"),  # set aside: accents
        ("maria clara", "Maria Clara Reis", "maria.clara@acme.example", "active"),  # set aside: a space
        ("otto.brandt", "Otto Brandt", "otto.brandt@acme.example", "active"),  # these two are one logon:
        ("Otto.Brandt", "Ottokar Brandt", "ottokar.brandt@acme.example", "active"),  # both set aside
        ("piotr.nowak", "Piotr Nowak", "piotr.nowak@acme", "active"),  # delivered without the address
        ("reception.day", "Front desk, day", "reception@acme.example", "active"),  # delivered; the shared
        ("reception.night", "Front desk, night", "reception@acme.example", "active"),  # address is reported
        ("", "Đinh Văn Mới", "moi.dinh@acme.example", "active"),  # set aside: no logon yet
        ("greta.alt", "Greta Alt", "greta.alt@acme.example", "disabled"),  # excluded
        ("svc-scanner", "Scan to mail", "", "active"),  # excluded by pattern
        ("ana-lua.costa", "Ana-Lua Costa", "ana-lua.costa@acme.example", "active"),  # delivered, warned
        ("nail.oz", 'Nail "Usta" Öz, Dr.', "nail.oz@acme.example", "active"),  # quotes and a comma in a name
    )
    return [
        Employee(logon, name, email, "Facilities", status, f"E{90_001 + number}")
        for number, (logon, name, email, status) in enumerate(rows)
    ]


def _seats(employees: list[Employee]) -> Iterator[Membership]:
    """One group per department, and one per floor of an office: 12 + 24 groups."""
    for department in DEPARTMENTS:
        for employee in employees:
            if employee.department == department:
                yield Membership(f"Print {department}", f"Queues of {department}", employee.logon)
    for office in range(len(OFFICES)):
        for floor in range(FLOORS):
            for employee in employees:
                if _pick(len(OFFICES) * FLOORS, "desk", employee.id) == office * FLOORS + floor:
                    yield _desk(office, floor, employee.logon)


def _desk(office: int, floor: int, logon: str) -> Membership:
    place = OFFICES[office]
    return Membership(f"{place} floor {floor + 1}", f"Printers near the desks in {place}", logon)


def _maker(logon: str) -> Membership:
    return Membership(PRINTER_GROUP, "Who may use the shared 3D printer", logon)


def _awkward_seats(employees: list[Employee]) -> Iterator[Membership]:
    """Four more groups: a popular one, one of one, one with a stranger, one whose name is too long."""
    for employee in employees:
        if _pick(3, "colour", employee.id) == 0:
            yield Membership("Colour printing", "Who may print in colour", employee.logon)
    yield Membership("Board room", "The plotter in the board room", employees[0].logon)
    for logon in ("reception.day", "reception.night", "greta.alt", "nobody.knows"):  # disabled; not a person
        yield Membership("Front desk", "The printer at the entrance", logon)
    long = "Visitors and contractors who print on the shared printers of the ground floor, ".ljust(160, "x")
    for employee in employees[1:4]:
        yield Membership(long, "160 characters are more than a grouping's name may have", employee.logon)


def _second_day(people: list[Employee], seats: list[Membership]) -> tuple[list[Employee], list[Membership]]:
    """3 join, 2 leave, 4 change name or e-mail, 1 moves to another floor, and a group of 3 is founded."""
    leavers = {people[number].logon for number in LEAVERS}
    changed = dict(_renamed(people))
    joiners = [
        _employee(ORDINARY, "Nhật", "Vũ", "nhat.vu"),
        _employee(ORDINARY + 1, "Mércia", "Leitão", "mercia.leitao"),
        _employee(ORDINARY + 2, "Tadeáš", "Zelený", "tadeas.zeleny"),
    ]
    after = [changed.get(person.logon, person) for person in people if person.logon not in leavers]
    return after + joiners, list(_reseated(people, joiners, seats, leavers))


def _renamed(people: list[Employee]) -> Iterator[tuple[str, Employee]]:
    """Two marry and take a second family name; two get an address in another form."""
    for number, family in ((50, "Sommer"), (350, "Azevedo")):
        person = people[number]
        yield person.logon, person._replace(name=f"{person.name} {family}")
    for number in (500, 900):
        person = people[number]
        yield person.logon, person._replace(email=f"{person.logon}@print.acme.example")


def _reseated(
    people: list[Employee], joiners: list[Employee], seats: list[Membership], leavers: set[str]
) -> Iterator[Membership]:
    moved = people[200].logon
    for seat in seats:
        if seat.logon in leavers:
            continue
        if seat.logon == moved and " floor " in seat.group:
            office = OFFICES.index(seat.group.split(" floor ")[0])
            yield _desk((office + 1) % len(OFFICES), 0, moved)
        else:
            yield seat
    for joiner in joiners:
        yield Membership(f"Print {joiner.department}", f"Queues of {joiner.department}", joiner.logon)
    for person in people[10:13]:
        yield Membership("Label printers", "New on the second day", person.logon)


def _write(path: Path, header: Iterable[str], rows: Iterable[Iterable[str]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)
