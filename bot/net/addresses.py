"""Parses web addresses from users and vendors; an invalid one always raises InvalidAddress."""

import re
from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

import httpx

from bot.domain.errors import SplitError

_NAME: Final = re.compile(r"(?=.{1,253}\.?$)[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*\.?", re.ASCII)
_IPV6: Final = re.compile(r"(?=.*:)[0-9a-f:.]+", re.ASCII)
# RFC 3986, without user names and without characters that would end a Markdown link.
_SHOWN: Final = re.compile(r"https://[\w.-]+(:\d+)?(/[\w.~:/?#@!$&'*+,;=%-]*)?", re.ASCII)


class InvalidAddress(SplitError):
    """Not a web address with a host."""


def parse_address(text: str, *, base: httpx.URL | None = None) -> httpx.URL:
    """Return an absolute address, resolving a relative one against `base`. Raises
    InvalidAddress.
    """
    try:
        _ = urlsplit(text).port  # stricter than httpx about brackets and ports
        url = httpx.URL(text) if base is None else base.join(text)
        name = url.host  # raises for a malformed internationalised name
    except (httpx.InvalidURL, ValueError):
        raise InvalidAddress("not an address") from None
    if not name or not is_host(url.raw_host.decode("ascii")):
        raise InvalidAddress("an address without a valid host")
    return url


def is_host(name: str) -> bool:
    """Whether the text is a valid host name or IP address."""
    return _NAME.fullmatch(name.lower()) is not None or _IPV6.fullmatch(name.lower()) is not None


def is_literal(host: str) -> bool:
    """Whether a host is an IP address in its usual form, not a name."""
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def is_showable(url: str) -> bool:
    """Whether an address is safe in a Markdown link: https, no user, nothing to escape."""
    return _SHOWN.fullmatch(url) is not None
