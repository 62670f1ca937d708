"""A signature speaks for one content and one key; a manifest for one set of bytes."""

import hashlib
import json
import os
import stat
from pathlib import Path
from typing import NamedTuple

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from hypothesis import given, settings
from hypothesis import strategies as st

from fivefold.core.errors import BadInput, Damaged
from fivefold.security.manifest import (
    Digest,
    canonical,
    check_digests,
    digest_of,
    digests,
    from_canonical,
)
from fivefold.security.sign import (
    CONTEXT,
    Signature,
    make_keys,
    read_public_key,
    short_name,
    sign,
    verify,
)


class KeyPair(NamedTuple):
    private: Path
    public: Path


def pair(folder: Path) -> KeyPair:
    private = folder / "my.pem"
    return KeyPair(private, make_keys(private))


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    return pair(tmp_path_factory.mktemp("keys") / "new")


def test_only_the_owner_can_read_the_private_key(tmp_path):
    old = os.umask(0)
    try:
        made = pair(tmp_path)
    finally:
        os.umask(old)
    assert stat.S_IMODE(made.private.stat().st_mode) == 0o600
    assert made.public == tmp_path / "my.pub.pem"


def test_a_key_is_never_overwritten(keys):
    before = keys.private.read_bytes()
    with pytest.raises(BadInput):
        make_keys(keys.private)
    assert keys.private.read_bytes() == before


def test_a_public_half_that_was_never_written_is_made_when_the_key_is_used(tmp_path, monkeypatch):
    def full(path: Path, _: bytes) -> None:
        raise OSError(28, "No space left on device", str(path))

    private, public = tmp_path / "my.pem", tmp_path / "my.pub.pem"
    with monkeypatch.context() as failing:
        failing.setattr("fivefold.security.sign.write_atomic", full)
        with pytest.raises(OSError, match="No space left"):
            make_keys(private)
        assert private.exists()
        alone = sign(b"hello", private)  # signing needs no public half
        assert not public.exists()
    made = sign(b"hello", private)
    assert made == alone
    assert read_public_key(public) == made.public_key
    public.write_bytes(b"another")
    sign(b"hello", private)
    assert public.read_bytes() == b"another"  # what is there stays


def test_a_signature_is_plain_ed25519(keys):
    made = sign(b"hello", keys.private)
    public = ed25519.Ed25519PublicKey.from_public_bytes(bytes.fromhex(made.public_key))
    public.verify(bytes.fromhex(made.signature), CONTEXT + b"hello")
    assert made.public_key == read_public_key(keys.public)
    assert made == sign(b"hello", keys.private)


@settings(max_examples=20, deadline=None, derandomize=True)
@given(content=st.binary(max_size=40), other=st.binary(max_size=40))
def test_verifies_its_content_and_no_other(keys, content, other):
    made = sign(content, keys.private)
    verify(content, made, where="a")
    if other != content:
        with pytest.raises(Damaged):
            verify(other, made, where="a")


@settings(max_examples=40, deadline=None, derandomize=True)
@given(bit=st.integers(0, 511))
def test_any_other_bit_of_the_signature_is_refused(keys, bit):
    made = sign(b"hello", keys.private)
    told = bytearray(bytes.fromhex(made.signature))
    told[bit // 8] ^= 1 << bit % 8
    with pytest.raises(Damaged):
        verify(b"hello", Signature(made.public_key, told.hex()), where="a")


@pytest.mark.parametrize("bad", ["", "zz", "00" * 31, "00" * 65])
def test_nonsense_is_refused(keys, bad):
    made = sign(b"hello", keys.private)
    with pytest.raises(Damaged):
        verify(b"hello", Signature(bad, made.signature), where="a")
    with pytest.raises(Damaged):
        verify(b"hello", Signature(made.public_key, bad), where="a")


def test_another_spelling_is_refused(keys):
    made = sign(b"hello", keys.private)
    for other in (made.signature.upper(), f" {made.signature}"):
        with pytest.raises(Damaged):
            verify(b"hello", Signature(made.public_key, other), where="a")


def test_another_key_is_another_signer(keys, tmp_path):
    other = pair(tmp_path)
    made = sign(b"hello", keys.private)
    assert read_public_key(other.public) != made.public_key
    with pytest.raises(Damaged):
        verify(b"hello", made._replace(public_key=read_public_key(other.public)), where="a")
    assert short_name(made.public_key) != short_name(read_public_key(other.public))


def test_a_private_key_that_others_can_read_is_not_used(tmp_path):
    made = pair(tmp_path)
    made.private.chmod(0o640)
    with pytest.raises(BadInput, match="chmod 600"):
        sign(b"", made.private)


def test_bad_keys_are_bad_input(keys, tmp_path):
    elliptic = ec.generate_private_key(ec.SECP256R1())
    public = elliptic.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    for content in (b"", b"hello", keys.private.read_bytes(), public):
        path = tmp_path / "a.pub"
        path.write_bytes(content)
        with pytest.raises(BadInput):
            read_public_key(path)
    path = tmp_path / "a.key"
    for content in (b"", b"hello", keys.public.read_bytes()):
        path.write_bytes(content)
        path.chmod(0o600)
        with pytest.raises(BadInput):
            sign(b"", path)
    with pytest.raises(BadInput):
        read_public_key(tmp_path / "none")


@settings(max_examples=20, deadline=None, derandomize=True)
@given(
    value=st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=8,
    )
)
def test_there_is_one_way_to_write_a_value(value):
    told = canonical(value)
    assert from_canonical(told, where="a") == value
    loose = json.dumps(value, indent=1, ensure_ascii=False).encode(errors="surrogatepass") + b"\n"
    with pytest.raises(Damaged):
        from_canonical(loose, where="a")


def test_digests_are_sha256_and_notice_everything(tmp_path):
    content = os.urandom(3_000_000)
    (tmp_path / "a").write_bytes(content)
    (tmp_path / "b").write_bytes(b"")
    files = [tmp_path / "a", tmp_path / "b"]
    wanted = digests(files, tmp_path)
    assert wanted["a"] == Digest(hashlib.sha256(content).hexdigest(), len(content))
    check_digests(files, tmp_path, wanted)
    for found, known in ((files[:1], wanted), (files, {"a": wanted["a"]})):
        with pytest.raises(Damaged, match="b"):
            check_digests(found, tmp_path, known)
    (tmp_path / "b").write_bytes(b"x")
    with pytest.raises(Damaged, match="b was changed"):
        check_digests(files, tmp_path, wanted)
    assert digest_of(tmp_path / "b").size == 1
