"""Addresses of the Internet, version 4 (RFC 791)."""

import re
from ipaddress import AddressValueError, IPv4Address

from fivefold.privacy.personal.finder import Finder, Match, Span

VERSION = re.compile(r"(?:版本号?|version|release)[: ]{0,2}$", re.IGNORECASE)
EVERYBODY = 0xFFFFFFFF


def _check(match: Match) -> Span | None:
    """Leave out addresses that are nobody's: this host, everybody, groups."""
    try:
        address = IPv4Address(match[0])
    except AddressValueError:
        return None
    nobody = address.is_loopback or address.is_unspecified or address.is_multicast
    is_version = VERSION.search(match.string[max(0, match.start() - 12) : match.start()])
    return None if nobody or is_version or int(address) == EVERYBODY else Span(*match.span())


IP_ADDRESS = Finder(
    kind="IP address",
    pattern=re.compile(r"(?<![0-9A-Za-z.])[0-9]{1,3}(?:\.[0-9]{1,3}){3}(?![0-9A-Za-z]|\.[0-9])"),
    check=_check,
)
