"""The account: a controller's endpoints, how its certificate is checked, and the user.

A controller has a CA of its own, and a certificate without its address but always with the name
juju-apiserver: with the account's ``ca_cert``, that name is checked.
"""

import base64
import binascii
import dataclasses
import hashlib
import re
import ssl
from collections.abc import Mapping
from typing import Any, Optional

from shared.engine.errors import InvalidEvent
from shared.engine.event import (
    flag_credential,
    needed_credential,
    refuse_unknown_keys,
    text_credential,
)
from shared.transport import http

_ENDPOINT = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^\s:/@\[\]]+):(\d{1,5})")
# Juju throttles a malformed user tag as if an agent had sent it, so none is sent.
_USER = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.+-]*[A-Za-z0-9])?(?:@[A-Za-z0-9.-]+)?")
_CERTIFICATE = re.compile("-----BEGIN CERTIFICATE-----(.+?)-----END CERTIFICATE-----", re.DOTALL)


@dataclasses.dataclass(frozen=True)
class Controller:
    """A controller: where it is, and how it proves its identity."""

    endpoints: tuple[str, ...]
    tls: ssl.SSLContext = dataclasses.field(repr=False, compare=False)
    server_name: Optional[str]  # expected in the certificate; None: the endpoint's host
    trusts: str  # which CAs, for messages


CREDENTIAL_KEYS = frozenset(
    {
        "endpoint",
        "username",
        "password",
        "ca_cert",
        "models",
        "follow_redirect",
        "tls_server_name",
        "verify",
    }
)


@dataclasses.dataclass(frozen=True)
class Credentials:
    """The event's credentials, checked."""

    controller: Controller
    username: str
    password: str = dataclasses.field(repr=False)
    models: tuple[str, ...]
    verify: bool
    follow_redirect: bool


def credentials(raw: Mapping[str, Any], ambient: bool) -> Credentials:
    """The credentials of an event; the host never supplies any. Raises InvalidEvent."""
    refuse_unknown_keys("credentials", raw, CREDENTIAL_KEYS)
    endpoints = _texts(raw, "endpoint")
    for endpoint in endpoints:
        match = _ENDPOINT.fullmatch(endpoint)
        if not match or not http.usable_host(match[1]) or not 0 < int(match[2]) < 65536:
            raise InvalidEvent("credentials.endpoint should be host:port, or a list of such")
    if not endpoints:
        raise InvalidEvent("credentials.endpoint is missing or empty; expected host:port")
    username = needed_credential(raw, "username")
    if not _USER.fullmatch(username):
        raise InvalidEvent("credentials.username should be the name of a Juju user")
    verify = flag_credential(raw, "verify", True)
    server_name = text_credential(raw, "tls_server_name")
    if server_name and not http.usable_host(server_name):
        raise InvalidEvent("credentials.tls_server_name should be a host's name")
    return Credentials(
        controller=controller_at(endpoints, text_credential(raw, "ca_cert"), verify, server_name),
        username=username,
        password=needed_credential(raw, "password"),
        models=_texts(raw, "models"),
        verify=verify,
        follow_redirect=flag_credential(raw, "follow_redirect", False),
    )


def _texts(raw: Mapping[str, Any], name: str) -> tuple[str, ...]:
    value = raw.get(name) or []
    texts = value.split(",") if isinstance(value, str) else value
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise InvalidEvent(f"credentials.{name} should be text or a list of texts")
    return tuple(text.strip() for text in texts if text.strip())


def controller_at(
    endpoints: tuple[str, ...], ca_cert: Optional[str], verify: bool, server_name: Optional[str]
) -> Controller:
    """The controller at these endpoints; raises InvalidEvent if ``ca_cert`` holds no certificate."""
    certificates = _certificates(ca_cert) if ca_cert else []
    try:
        tls = ssl.create_default_context(cadata=b"".join(certificates) or None)
    except (ssl.SSLError, ValueError):
        raise InvalidEvent("credentials.ca_cert holds no usable certificate") from None
    # by default, Python 3.13 rejects CAs such as Juju (written in Go) creates
    tls.verify_flags &= ~ssl.VERIFY_X509_STRICT
    if not verify:
        tls.check_hostname = False
        tls.verify_mode = ssl.CERT_NONE
    if not ca_cert:
        return Controller(
            endpoints, tls, server_name, "the system's CAs; credentials.ca_cert is empty"
        )
    digests = ", ".join(
        hashlib.sha256(certificate).hexdigest()[:16] for certificate in certificates
    )
    trusts = f"the CA whose SHA-256 fingerprint begins with {digests}"
    return Controller(endpoints, tls, server_name or "juju-apiserver", trusts)


def _certificates(ca_cert: str) -> list[bytes]:
    """The certificates in a text of PEM or of base64 of PEM, as DER.

    OSM hands out base64 of a PEM whose line breaks may be the two characters backslash and n; some consoles
    turn them into blanks. Anything else in the text, such as a private key, is ignored.
    """
    try:
        text = ca_cert.replace("\\n", "\n")
        if "-----BEGIN" not in text:
            packed = "".join(text.split()).rstrip("=")
            packed += "=" * (-len(packed) % 4)
            text = base64.b64decode(packed, validate=True).decode("ascii").replace("\\n", "\n")
        bodies = _CERTIFICATE.findall(text)
        certificates = [base64.b64decode("".join(body.split()), validate=True) for body in bodies]
    except (binascii.Error, ValueError):
        certificates = []
    if not certificates:
        raise InvalidEvent(
            "credentials.ca_cert should be the controller's CA certificate, as PEM or as base64 of PEM"
        )
    return certificates
