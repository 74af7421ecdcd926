"""Every kind of finding that a report may have: its weight, its words, the next step, and since when it is known."""

from __future__ import annotations

from pathlib import Path

from tests.core.elsewhere import APP, SITE, Site

from rosterd.core.access import Holder
from rosterd.core.guard import Guards, Limit
from rosterd.core.outcome import Issued
from rosterd.errors import TargetError
from rosterd.reporting import iso
from rosterd.sandbox import fault

# kind: severity, what the sentence says, what the next step says
KINDS = {
    "access-left": ("high", "rui@acme.example) has left and still has access to the application", "Collaborators"),
    "access-disabled": ("high", "Eva Reis (eva@acme.example) is disabled in the directory", "Users of this twin"),
    "owner-left": ("high", "The only owner of the application Viewer, Rui Costa (rui@acme.example), has", "transfer"),
    "stranger": ("medium", "Bob (bob@other.example) is not in the directory and has access to the twin", "invited"),
    "manager-outside": ("medium", "can manage the twin Headquarters as Manage and is not in the group Makers", "Lower"),
    "refused": ("medium", "Joe No Mail is in the directory and cannot print: Orbix refused", "Mend the record"),
    "code-in-doubt": ("medium", "Whether rui@acme.example was registered with the 3D printer Workshop", "--again"),
    "unchecked": ("low", "Who Night shift with access to the twin Headquarters as level:1 is cannot be", "by hand"),
    "double": ("low", "NDD//ana has 2 Autodesk accounts: u-ana (", "remove the others"),
    "code-waiting": ("low", "The registration code of ana@acme.example for the 3D printer Workshop", "rosterd codes"),
}  # fmt: skip


def test_every_kind_of_finding(tmp_path: Path) -> None:
    names = {"874": "Workshop"}
    site = Site(tmp_path / "ledger.db", printers=(("874", "makers"),), printer_names=names, managers="Makers")
    site.autodesk.held = {
        APP: [
            Holder("u-rui", "Rui Costa", "rui@acme.example", "OWNER"),
            Holder("u-ana", "Ana Lua", "ana@acme.example", "VIEWER"),
        ],
        SITE: [
            Holder("u-ana2", "Ana Lua", "a.lua@acme.example", "Read"),
            Holder("u-eva", "Eva Reis", "eva@acme.example", "Manage"),
            Holder("u-bob", "Bob", "bob@other.example", "Read"),
            Holder("u-who", "Night shift", "", "level:1"),
        ],
    }
    site.office.orbix.faults.add(fault("refuse", logon="joe", message="Logon is not valid."))
    site.printers.answers = [Issued("CODE01", ""), TargetError("no answer", maybe_applied=True)]
    first = site.office.now
    site.run()
    site.office.job["guards"] = Guards(first_run="go", leavers=Limit(), member_loss=Limit())
    del site.directory.people["rui"]
    second = site.office.now = first + 3600
    site.run()
    site.office.now += 3600
    del site.autodesk.held[APP][1:]  # the report says something else, so that it is written once more
    site.autodesk.held[APP].append(Holder("u-ana", "Ana Lua", "ana@acme.example", "EDITOR"))
    site.run()
    found = {
        one.kind: one for one in site.desk.last.findings if one.kind != "access-left" or one.place == "Viewer"
    }
    assert set(found) == set(KINDS)
    for kind, (severity, said, step) in KINDS.items():
        one = found[kind]
        assert (one.severity, said in one.sentence, step in one.next_step) == (severity, True, True), one
        assert one.place in ("Viewer", "Headquarters", "Workshop", ""), "a place goes by its name"
        assert (one.place == "Workshop") == kind.startswith("code-"), one
        since = second if kind in ("access-left", "owner-left") else first
        assert one.first_seen == iso(since + 1), one  # a run takes a second
