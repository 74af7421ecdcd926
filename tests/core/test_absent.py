"""What a library would load only because it is installed."""

from __future__ import annotations

import subprocess
import sys

import pytest

from rosterd.absent import absent


def test_an_absent_module_cannot_be_imported_and_comes_back() -> None:
    sys.modules.pop("this", None)
    with absent("this", "json"), pytest.raises(ImportError):
        __import__("this")
    assert "this" not in sys.modules
    assert sys.modules["json"] is not None  # it was there already: nobody loses it


def test_a_failure_inside_brings_them_back() -> None:
    with pytest.raises(KeyError), absent("this"):
        raise KeyError
    assert "this" not in sys.modules


def test_the_log_and_the_http_client_load_no_painters() -> None:
    """Of whole processes: what else ran in this one has them already."""
    program = "import rosterd.log, rosterd.http, sys; print(sorted({'rich', 'pygments', 'click'} & set(sys.modules)))"
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"
