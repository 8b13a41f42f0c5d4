"""Authorities in a caBundle: whether they can be read, and until when they are good."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class Authority:
    """One certificate of a bundle."""

    subject: str
    begins: datetime
    ends: datetime


def authorities(bundle: str) -> list[Authority]:
    """The certificates of a ``caBundle`` (base64 of PEM); raises ValueError where there is none to be read."""
    from cryptography import x509

    try:
        text = base64.b64decode(bundle, validate=True)
    except binascii.Error as error:
        raise ValueError("it is not base64") from error
    found = x509.load_pem_x509_certificates(text)
    return [
        Authority(each.subject.rfc4514_string()[:100], each.not_valid_before_utc, each.not_valid_after_utc)
        for each in found
    ]
