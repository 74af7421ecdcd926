"""Several customers: each gets its own, one's trouble is not another's, the worst code wins."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from tests.cli.files import customer, people, toml
from tests.cli.kit import Office, checked_run
from tests.cli.test_approvals import FIVE

from rosterd.log import configure
from rosterd.once import Wish, run_once
from rosterd.planning import make_plan
from rosterd.settings import load

NAMES = ("acme", "bolt", "cord", "dune")
WORST_FIRST = (1, 8, 2, 7, 9, 5, 6, 4, 3, 0)  # the manual's order


def four(office: Office, **more: Any) -> Office:
    """Four customers whose people have names of their own."""
    office.settings = {}
    office.write(**{name: customer(name, **more.get(name, {})) for name in NAMES})
    for name in NAMES:
        office.put(people(*(f"{name}.{logon}" for logon in FIVE), mail=f"{name}.example"), f"{name}.csv")
    return office


def nothing_crossed(office: Office) -> None:
    for name in NAMES:
        assert all(key.startswith(f"ndd//{name}.") for key in office.users(name.upper())), name
        for entry in office.requests():
            assert entry["tenant"] == "provider-one"


def delivered(office: Office) -> set[str]:
    return {name for name in NAMES if len(office.users(name.upper())) == len(FIVE)}


def codes(document: dict[str, Any]) -> dict[str, int]:
    return {name: part["exit_code"] for name, part in document["customers"].items()}


def test_all_are_delivered(office: Office) -> None:
    document = four(office).run(code=0)
    assert list(document["customers"]) == list(NAMES)
    assert delivered(office) == set(NAMES)
    nothing_crossed(office)


def test_fault_97_one_of_each_trouble(office: Office) -> None:
    four(office, cord={"guards": {"first_run": "approve"}})
    (office.directory / "bolt.csv").unlink()
    office.put([*people("dune.ana"), ("bad logon", "", "")], "dune.csv")
    document = office.run(code=5)
    assert codes(document) == {"acme": 0, "bolt": 5, "cord": 4, "dune": 3}
    assert len(office.users("ACME")) == 5 and office.users("BOLT") == office.users("CORD") == {}
    assert list(office.users("DUNE")) == ["ndd//dune.ana"]
    nothing_crossed(office)


def test_fault_97_one_client_is_not_known_at_orbix(new_office: Any) -> None:
    office = four(new_office(clients=frozenset({"ACME", "CORD", "DUNE"})))
    document = office.run(code=6)
    assert codes(document) == {"acme": 0, "bolt": 6, "cord": 0, "dune": 0}
    reason = document["customers"]["bolt"]["reason"]
    assert "BOLT" in reason and "portal" in reason, reason
    assert delivered(office) == {"acme", "cord", "dune"}


def test_fault_97_a_template_of_one_is_wrong(office: Office) -> None:
    """The others go on, and the code is that of wrong settings; with nobody else it is a plain refusal."""
    wrong = {"sources": {"hr": {"people": {"name": "{{ name"}}}}
    four(office, bolt=wrong)
    document = office.run(code=2)
    assert codes(document) == {"acme": 0, "bolt": 2, "cord": 0, "dune": 0}
    assert "customers.bolt.sources.hr.people" in document["customers"]["bolt"]["reason"]
    assert delivered(office) == {"acme", "cord", "dune"}
    plan = office.do("plan")
    assert (
        plan.code == 2 and "bolt: no plan: customers.bolt" in plan.out and "acme: nothing to do" in plan.out
    )
    alone = office.do("run", "--once", "--json", "--customer", "bolt")
    assert alone.code == 2 and alone.out == "" and "customers.bolt" in alone.err


@pytest.mark.parametrize("broken", range(4))
def test_fault_97_wherever_the_broken_one_stands(office: Office, broken: int) -> None:
    four(office)
    office.put_text('logon,name,email\na,"never closed,x\n', f"{NAMES[broken]}.csv")
    office.run(code=5)
    assert delivered(office) == set(NAMES) - {NAMES[broken]}


def test_the_worst_code_in_the_documented_order(office: Office) -> None:
    """6 is worse than 4, and 5 is worse than 6, whatever the order in the file."""
    four(office, acme={"guards": {"first_run": "approve"}})
    fault = office.fault("status", status=403, path="users", times=1)
    document = office.run(code=6)
    assert sorted(codes(document).values()) == [0, 0, 4, 6] and fault.hits == 1
    seen = sorted(codes(document).values(), key=WORST_FIRST.index)
    assert document["exit_code"] == seen[0]


def test_refused_credentials_concern_everybody(office: Office) -> None:
    four(office)
    office.fault("token_refused")
    document = office.run(code=9)
    assert set(codes(document).values()) == {9}
    assert len(office.requests("token")) <= 2, "credentials get locked out"
    assert all("client_secret" in part["reason"] for part in document["customers"].values())


def test_customers_that_are_named(office: Office) -> None:
    document = four(office).run("--customer", "bolt", "--customer", "dune", code=0)
    assert list(document["customers"]) == ["bolt", "dune"] and delivered(office) == {"bolt", "dune"}


@pytest.mark.parametrize(
    "verb", [("run", "--once"), ("plan",), ("status",), ("check",), ("leavers",), ("approve",), ("run",)]
)
def test_an_unknown_customer(office: Office, verb: tuple[str, ...]) -> None:
    result = office.do(*verb, "--customer", "acne")
    assert result.code == 2 and "acne" in result.err and "acme" in result.err, result.said
    assert result.out == ""


@pytest.mark.parametrize("verb", ["pause", "resume"])
def test_an_unknown_customer_as_argument(office: Office, verb: str) -> None:
    result = office.do(verb, "acne")
    assert result.code == 2 and "acne" in result.err and "acme" in result.err, result.said


def filed(office: Office) -> Path:
    """Four customers, three of them in files of their own; gives the folder."""
    four(office)
    folder = office.directory / "customers.d"
    folder.mkdir()
    for name in NAMES[1:]:
        body = office.settings["customers"].pop(name)
        (folder / f"{name}.toml").write_text(toml(body), encoding="utf-8")
        os.chmod(folder / f"{name}.toml", 0o600)
        os.replace(office.directory / f"{name}.csv", folder / f"{name}.csv")
    office.set(customers_dir="customers.d")
    return folder


def test_one_file_per_customer(office: Office) -> None:
    filed(office)
    document = office.run(code=0)
    assert set(document["customers"]) == set(NAMES) and delivered(office) == set(NAMES)
    nothing_crossed(office)


@pytest.mark.parametrize("wrong", ['leavrs = "report"\n', "client = [\n", 'schedule = "never"\n', None])
def test_fault_97_a_customer_s_own_file_is_wrong(office: Office, wrong: str | None) -> None:
    """It does not run, and its reason is in the document; the others go on. A secret of it is no trouble of theirs."""
    bolt = filed(office) / "bolt.toml"
    if wrong is not None:
        bolt.write_text(wrong + bolt.read_text())
    else:
        bolt.unlink()
        bolt.symlink_to("nowhere")
    secrets = {"ROSTERD_CUSTOMERS__BOLT__SOURCES__HR__PATH": "bolt.csv"}
    result = office.do("run", "--once", "--json", env=secrets)
    document = checked_run(result, 2)
    assert codes(document) == {"acme": 0, "bolt": 2, "cord": 0, "dune": 0}
    assert "customers.d/bolt.toml" in document["customers"]["bolt"]["reason"], result.out
    assert "customers.d/bolt.toml" in result.err and delivered(office) == {"acme", "cord", "dune"}
    assert office.run("--customer", "acme", code=0)["customers"].keys() == {"acme"}
    office.forget_requests()
    alone = office.do("run", "--once", "--json", "--customer", "bolt")
    assert alone.code == 2 and alone.out == "" and "bolt.toml" in alone.err
    for verb in ("status", "check", "settings show"):
        assert office.do(*verb.split()).code == 2, verb
    assert office.requests() == []


def test_wrong_settings_of_all_stop_all(office: Office) -> None:
    """The main file, what customers share, and a provider with no good customer left: nothing is sent."""
    folder = filed(office)
    good = (folder / "bolt.toml").read_text()
    (folder / "bolt.toml").write_text('leavrs = "report"\n' + good)
    for more in (
        {"orbix": {"timeout": "soon"}},
        {"daemon": {"jittr": "1s"}},
        {"customers": {"acme": {"client": ""}}},
    ):
        kept = office.settings
        office.set(**more)
        result = office.do("run", "--once", "--json")
        assert result.code == 2 and result.out == "" and "bolt.toml" in result.err, result.said
        office.settings = kept
    office.save()
    (folder / "cord.toml").write_text((folder / "dune.toml").read_text())
    twice = office.do("run", "--once", "--json")
    assert twice.code == 2 and twice.out == "" and "cord" in twice.err and "dune" in twice.err, (
        "one client, two customers"
    )
    del office.settings["customers"]
    office.save()
    for name in ("bolt", "cord", "dune"):
        (folder / f"{name}.toml").write_text('leavrs = "report"\n')
    none = office.do("run", "--once", "--json")
    assert (
        none.code == 2
        and none.out == ""
        and all(f"{name}.toml" in none.err for name in ("bolt", "cord", "dune"))
    )
    assert office.requests() == []


def test_a_bad_file_name_in_customers_dir(office: Office) -> None:
    folder = office.directory / "customers.d"
    folder.mkdir()
    (folder / "Bad Name.toml").write_text('client = "X"\n', encoding="utf-8")
    office.set(customers_dir="customers.d")
    result = office.do("run", "--once")
    assert result.code == 2 and "Bad Name.toml" in result.err, result.said


def test_the_same_client_twice_is_a_settings_error(office: Office) -> None:
    office.set(customers={"bolt": customer("bolt", client="acme")})
    result = office.do("run", "--once")
    assert result.code == 2 and "acme" in result.err and "bolt" in result.err and office.requests() == []


def test_a_customer_may_be_renamed(office: Office) -> None:
    """The ledger's rows belong to (base URL, tenant, client), not to the local name."""
    office.run(code=0)
    office.settings["customers"] = {"acme-inc": office.settings["customers"].pop("acme")}
    office.save()
    part = office.one(name="acme-inc", code=0)
    assert part["people"]["unchanged"] == 5 and part["requests"] == 0


def test_the_text_for_people_has_every_customer(office: Office) -> None:
    four(office, cord={"guards": {"first_run": "approve"}})
    result = office.do("run", "--once")
    assert result.code == 4
    assert all(f"{name}: " in result.out for name in NAMES)
    assert "exit code 4" in result.out


def test_a_defect_is_one_customers(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """What nobody thought of ends 1, with the others delivered; here a plan that fails for one of them."""
    four(office)

    def failing(terms: Any, *rest: Any) -> Any:
        if terms.identity[2] == "BOLT":
            raise ZeroDivisionError
        return make_plan(terms, *rest)

    monkeypatch.setattr("rosterd.run.make_plan", failing)
    settings = load(office.config, {}).settings
    document = run_once(settings, Wish(), configure("console", -2))
    assert document["exit_code"] == 1
    assert codes(document) == {"acme": 0, "bolt": 1, "cord": 0, "dune": 0}
    assert "ZeroDivisionError" in document["customers"]["bolt"]["reason"]
    assert delivered(office) == {"acme", "cord", "dune"}
