"""Read live evidence from a file or from a server, whose every byte is a stranger's."""

from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from pathlib import Path
from time import monotonic
from urllib.parse import SplitResult, urlsplit

from fivefold.cli.access import read_key
from fivefold.core.errors import BadInput
from fivefold.deploy.watch import LIVE, Live, read_live

MOST_BYTES = 16_000_000
SECONDS = 10.0  # for each step of the conversation
LONGEST = 30.0  # seconds for all of the answer
PATH = "/live/evidence.json"
NO_ENTRY = (401, 403)
OK = 200


def read_source(place: str, token_file: Path | None) -> Live:
    """Return the evidence in a file, in the state folder of a server, or at its address.

    The seal is checked as that of a run is. No redirect is followed: the key would go with it.

    Args:
        place: A file, a folder that holds `live.json`, or `http(s)://host[:port][/path]`.
        token_file: File with the key to show to the server.

    Raises:
        BadInput: Nothing is there, the server refuses, or it answers too much or too slowly.
        Damaged: What is there is not what was written.
    """
    if place.lower().startswith(("http://", "https://")):
        key = read_key(token_file) if token_file else ""
        return read_live(_fetched(_address(place), key), where=place)
    if token_file:
        raise BadInput(
            "A key is shown to a server alone.", mend="Give its address with --live URL."
        )
    file = Path(place)
    return read_live(_contents(file / LIVE if file.is_dir() else file), where=place)


def _contents(file: Path) -> bytes:
    try:
        with file.open("rb") as opened:
            return _bounded(opened.read(MOST_BYTES + 1), str(file))
    except OSError as error:
        raise BadInput(
            "There is no live evidence here.",
            where=str(file),
            mend="Give the live.json of a server (fivefold serve --state FOLDER) or its address.",
        ) from error


def _address(place: str) -> SplitResult:
    """Return the address of the evidence; that of a server alone is enough."""
    try:
        parts = urlsplit(place)
        is_good = parts.hostname and parts.username is None and parts.port != 0
    except ValueError as error:
        raise _no_address(place) from error
    if not is_good:
        raise _no_address(place)
    return parts if parts.path.strip("/") else parts._replace(path=PATH, query="")


def _no_address(place: str) -> BadInput:
    return BadInput(
        "This is not the address of a server.",
        where=place.rpartition("@")[2],
        mend="Write it as http://host:port, and give the key with --token-file FILE.",
    )


def _fetched(address: SplitResult, key: str) -> bytes:
    """Return what is at an address; proxies are not asked, as for every address on the command line."""
    kind = HTTPSConnection if address.scheme.lower() == "https" else HTTPConnection
    headers = {"Accept": "application/json"} | ({"Authorization": f"Bearer {key}"} if key else {})
    url, ending = address.geturl(), monotonic() + LONGEST
    try:
        link = kind(address.hostname or "", address.port, timeout=SECONDS)
        try:
            link.request(
                "GET", address._replace(scheme="", netloc="", fragment="").geturl(), headers=headers
            )
            answer = link.getresponse()
            if answer.status != OK:
                raise _refused(url, answer)
            return _bounded(_read(answer, ending), url)
        finally:
            link.close()
    except (OSError, ValueError, HTTPException) as error:
        raise _silent(url, str(error) or type(error).__name__) from error


def _read(answer: HTTPResponse, ending: float) -> bytes:
    read = bytearray()
    while (part := answer.read1(65536)) and len(read) <= MOST_BYTES:
        read += part
        if monotonic() > ending:
            raise TimeoutError(f"{LONGEST:g} s")
    return bytes(read)


def _bounded(told: bytes, where: str) -> bytes:
    if len(told) > MOST_BYTES:
        raise BadInput(
            "This is larger than {most} bytes, so it is not read.",
            where=where,
            mend="Is it the live.json of a server, or its /live/evidence.json?",
            most=MOST_BYTES,
        )
    return told


def _refused(url: str, answer: HTTPResponse) -> BadInput:
    if answer.status in NO_ENTRY:
        return BadInput(
            "The server wants a key that it knows.",
            where=url,
            mend="Put the key into a file and give it with --token-file FILE.",
        )
    if place := answer.getheader("Location"):
        return BadInput(
            "The server sends us to {place}; nobody is followed, so that no key goes astray.",
            where=url,
            mend="Give the address that it names, if you trust it.",
            place=place[:200],
        )
    return _silent(url, str(answer.status))


def _silent(url: str, problem: str) -> BadInput:
    return BadInput(
        "The endpoint does not answer as it should: {problem}.",
        where=url,
        mend="Check the address, the key and whether the server is up.",
        problem=problem[:300],
    )
