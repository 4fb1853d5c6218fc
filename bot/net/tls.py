"""Trusted certificates: certifi's, or those that the operator configured."""

import ssl
from collections.abc import Mapping
from datetime import UTC, datetime

import httpx

CA_FILE = "SSL_CERT_FILE"
CA_DIR = "SSL_CERT_DIR"


class CertificatesUnreadable(Exception):
    """A setting does not name usable certificates; the text is a sentence for the operator."""


def tls_context(settings: Mapping[str, str]) -> ssl.SSLContext:
    """Return a context that trusts the certificates in `SSL_CERT_FILE` or `SSL_CERT_DIR`, or else
    certifi's.

    Raises CertificatesUnreadable.
    """
    return own_tls_context(settings) or httpx.create_ssl_context(trust_env=False)


def own_tls_context(settings: Mapping[str, str]) -> ssl.SSLContext | None:
    """Return a context that trusts the operator's own certificates; None without a setting.

    Raises CertificatesUnreadable.
    """
    file, folder = settings.get(CA_FILE) or None, settings.get(CA_DIR) or None
    if file is None and folder is None:
        return None
    try:
        return ssl.create_default_context(cafile=file, capath=folder)
    except (OSError, ssl.SSLError) as exc:
        setting, path = (CA_FILE, file) if file is not None else (CA_DIR, folder)
        raise CertificatesUnreadable(
            f"{setting}: expected readable certificates in PEM at {path}"
        ) from exc


def explain(error: ssl.SSLCertVerificationError) -> str:
    """Explain why a certificate was refused, and what the operator can do about it."""
    return (
        f"its certificate is not accepted ({error.verify_message}); a company's own authority "
        f"goes into {CA_FILE}, and today is {datetime.now(UTC):%Y-%m-%d} on this machine"
    )
