"""The seal of a bundle: a manifest of all files and, if there is a key, a signature over it.

The manifest names the signer, so that taking the signature away breaks the seal. Somebody who can write
to the folder can still write a new, unsigned seal: only asking for a public key protects against that.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from fivefold.core.atomic import write_atomic
from fivefold.core.errors import Damaged
from fivefold.security.folder import check_name
from fivefold.security.manifest import (
    Digest,
    canonical,
    check_digests,
    digests,
    from_canonical,
)
from fivefold.security.sign import Signature, read_public_key, sign, verify

FORMAT = "fivefold bundle 1"
MANIFEST = "manifest.json"
SIGNATURE = "signature.json"
MOST_BYTES = 1_000_000


def seal(folder: Path, files: Sequence[Path], key: Path | None) -> None:
    """Write the manifest of `files` and, with a private `key`, its signature into `folder`."""
    listed = {name: digest._asdict() for name, digest in digests(files, folder).items()}
    signer = sign(b"", key).public_key if key else ""
    told = canonical({"format": FORMAT, "signer": signer, "files": listed})
    write_atomic(folder / MANIFEST, told)
    if key:
        write_atomic(folder / SIGNATURE, canonical(sign(told, key)._asdict()))


def check_seal(folder: Path, files: Sequence[Path], public_key: Path | None) -> str:
    """Check `files`, all there are in `folder`, against the seal and return the signer's key, "" if none.

    Raises:
        Damaged: Something was changed, added, renamed or lost, or `public_key` is given and did not sign.
    """
    told = _read(folder / MANIFEST)
    signer, wanted = _manifest(told)
    inside = [path for path in files if path.name not in (MANIFEST, SIGNATURE)]
    has_signature = (folder / SIGNATURE) in files
    if has_signature != bool(signer):
        what = "{name} was added later." if has_signature else "{name} is missing."
        raise Damaged(what, where=SIGNATURE, mend=AGAIN, name=SIGNATURE)
    if signer:
        _check_signature(folder, told, signer)
    check_digests(inside, folder, wanted)
    if public_key is not None and read_public_key(public_key) != signer:
        what = "It was signed with another key." if signer else "It is not signed."
        raise Damaged(
            what, where=SIGNATURE, mend="Ask its sender for a bundle signed with the key you trust."
        )
    return signer


def _check_signature(folder: Path, told: bytes, signer: str) -> None:
    found = from_canonical(_read(folder / SIGNATURE), where=SIGNATURE)
    if not _is_words(found, ("public_key", "signature")) or found["public_key"] != signer:
        raise _not_ours(SIGNATURE)
    verify(told, Signature(found["public_key"], found["signature"]), where=SIGNATURE)


def _manifest(told: bytes) -> tuple[str, dict[str, Digest]]:
    """Return who is said to have signed, and what each file must be."""
    found = from_canonical(told, where=MANIFEST)
    if not isinstance(found, Mapping) or set(found) != {"format", "signer", "files"}:
        raise _not_ours(MANIFEST)
    if found["format"] != FORMAT or not isinstance(found["signer"], str):
        raise _not_ours(MANIFEST)
    if not isinstance(found["files"], Mapping):
        raise _not_ours(MANIFEST)
    return found["signer"], {name: _digest(name, entry) for name, entry in found["files"].items()}


def _digest(name: str, entry: Any) -> Digest:
    check_name(name)
    if not isinstance(entry, Mapping) or set(entry) != {"sha256", "size"}:
        raise _not_ours(MANIFEST)
    return Digest(entry["sha256"], entry["size"])


def _is_words(value: Any, names: tuple[str, ...]) -> bool:
    if not isinstance(value, Mapping) or set(value) != set(names):
        return False
    return all(isinstance(v, str) for v in value.values())


def _read(path: Path) -> bytes:
    if not path.is_file():
        raise Damaged("{name} is missing.", where=path.name, mend=AGAIN, name=path.name)
    with path.open("rb") as file:
        return file.read(MOST_BYTES)


def _not_ours(name: str) -> Damaged:
    return Damaged("This file is not as it was written.", where=name, mend=AGAIN)


AGAIN = "Get the folder again from its source."
