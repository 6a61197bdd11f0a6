"""
TLS to a store: whom to trust, and what to say if that fails. Private to `aggregators/`.
"""

from __future__ import annotations

import ssl

from ctxlog.aggregators._address import Address

#: Codes of OpenSSL that say that nobody trusted has issued a certificate: it is
#: self-signed, a self-signed one is in its chain, or its issuer is unknown.
_UNTRUSTED = frozenset({18, 19, 20, 21})


def context(address: Address) -> ssl.SSLContext:
    """
    Return the context of an address, by its options `ca`, `cert` and `key`.

    The other side's certificate and name are always verified. Without `ca` those are
    trusted that the system trusts, or `SSL_CERT_FILE` and `SSL_CERT_DIR` name.

    Raises:
        ConfigError: if a file cannot be used.
    """
    files = {name: address.options.get(name) for name in ("ca", "cert", "key")}
    try:
        made = ssl.create_default_context(cafile=files["ca"])
        made.minimum_version = ssl.TLSVersion.TLSv1_2
        if files["cert"] is not None:
            made.load_cert_chain(files["cert"], files["key"])
    except (OSError, ValueError) as error:
        raise address.error(
            f"ca, cert and key to be files of certificates; {error}"
        ) from None
    return made


def failure(error: BaseException) -> str | None:
    """
    Return why TLS fails, if an operator has to change something; None for other errors.

    Args:
        error: An error, or one that has been raised because of another.
    """
    found: BaseException | None = error
    while found is not None and not isinstance(found, ssl.SSLError):
        inner = found.args[0] if found.args else None
        of_args = inner if isinstance(inner, BaseException) else None
        found = found.__cause__ or of_args or found.__context__
    if found is None or isinstance(found, (ssl.SSLEOFError, ssl.SSLZeroReturnError)):
        return None
    if not isinstance(found, ssl.SSLCertVerificationError):
        return f"TLS fails: {found.reason or type(found).__name__}"
    reason = f"TLS fails: {found.verify_message.rstrip('.')}"
    if found.verify_code in _UNTRUSTED:
        reason += "; if it is to be trusted, name its CA by ?ca=FILE or SSL_CERT_FILE"
    return reason
