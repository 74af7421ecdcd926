"""Certificates good and bad, made with the openssl command."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.real.slapd import Tls, needed

# In what way a server's certificate is bad -> the words of the error.
BAD = {
    "self-signed": "self-signed certificate",
    "wrong-host": "IP address mismatch",
    "expired": "certificate has expired",
    "wrong-ca": "unable to get local issuer certificate",
    "other-address": "IP address mismatch",
}

_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
_NAMES = {"wrong-host": "DNS:dc1.acme.example", "other-address": "IP:127.0.0.2"}


def make(folder: Path, kind: str = "good", names: str = "DNS:localhost,IP:127.0.0.1") -> Tls:
    """A certificate for 127.0.0.1 and localhost that is good, or bad in one of the ways above.

    `authority` is the one to trust; only for "good" that is enough.
    """
    folder.mkdir(parents=True, exist_ok=True)
    _authority(folder, "ca")
    alternative = ("-addext", f"subjectAltName={_NAMES.get(kind, names)}")
    if kind == "self-signed":
        _openssl(
            folder,
            "req",
            "-x509",
            *_KEY,
            "-keyout",
            "key.pem",
            "-out",
            "cert.pem",
            *_name("self"),
            *alternative,
        )
    else:
        signer = "ca"
        if kind == "wrong-ca":
            signer = "other"
            _authority(folder, signer)
        _openssl(
            folder, "req", "-new", *_KEY, "-keyout", "key.pem", "-out", "csr", *_name("server"), *alternative
        )
        days = "-1" if kind == "expired" else "30"
        _openssl(
            folder,
            "x509",
            "-req",
            "-in",
            "csr",
            "-CA",
            f"{signer}.pem",
            "-CAkey",
            f"{signer}.key",
            "-CAcreateserial",
            "-copy_extensions",
            "copy",
            "-days",
            days,
            "-out",
            "cert.pem",
        )
    return Tls(folder / "cert.pem", folder / "key.pem", folder / "ca.pem")


def client(folder: Path, name: str) -> tuple[Path, Path]:
    """A certificate with its key for somebody whom the authority of a folder vouches for."""
    request, signed = f"{name}.csr", f"{name}.pem"
    _openssl(folder, "req", "-new", *_KEY, "-keyout", f"{name}.key", "-out", request, *_name(name))
    authority = ("-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "30")
    _openssl(folder, "x509", "-req", "-in", request, *authority, "-out", signed)
    return folder / signed, folder / f"{name}.key"


def _authority(folder: Path, name: str) -> None:
    _openssl(
        folder,
        "req",
        "-x509",
        *_KEY,
        "-keyout",
        f"{name}.key",
        "-out",
        f"{name}.pem",
        "-days",
        "30",
        *_name(f"Acme {name}"),
    )


def _name(common: str) -> tuple[str, str]:
    return "-subj", f"/CN={common}"


def _openssl(folder: Path, *arguments: str) -> None:
    subprocess.run([needed("openssl"), *arguments], cwd=folder, check=True, capture_output=True)
