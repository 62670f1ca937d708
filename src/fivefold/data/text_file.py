"""Bytes to text, refusing what is not UTF-8 and saying what it looks like instead."""

from pathlib import Path

from fivefold.core.errors import BadInput

MOST_BYTES = 2**31
SIGNS = {
    b"PAR1": "Parquet",
    b"PK\x03\x04": "ZIP",
    b"\x89PNG": "PNG",
    b"\xff\xd8\xff": "JPEG",
    b"\x1f\x8b": "gzip",
    b"%PDF": "PDF",
    b"\xd0\xcf\x11\xe0": "Excel",
}


def read_bytes(path: Path) -> bytes:
    """Return the content of a file.

    Raises:
        BadInput: It is not there, not a file, not readable, empty or too large.
    """
    check_file(path)
    try:
        return path.read_bytes()
    except OSError as error:
        raise BadInput(
            "This file cannot be read: {problem}.",
            where=str(path),
            mend="Check its permissions.",
            problem=error.strerror or type(error).__name__,
        ) from error


def check_file(path: Path) -> None:
    """Refuse a path that is not a file with something in it, of a size that fits into memory.

    Raises:
        BadInput: As said.
    """
    if "\0" in str(path) or not _exists(path):
        raise BadInput(
            "There is no such file.",
            where=str(path).replace("\0", "\\0"),
            mend="Check the path; a relative path starts at the folder of the recipe.",
        )
    if path.is_dir():
        raise BadInput("This is a folder, not a file.", where=str(path), mend="Name a file in it.")
    if not path.is_file():
        raise BadInput(
            "This is a device or a pipe, not a file.", where=str(path), mend="Copy it into a file."
        )
    size = path.stat().st_size
    if size == 0:
        raise BadInput("This file is empty.", where=str(path), mend="Is it the right file?")
    if size > MOST_BYTES:
        raise BadInput(
            "This file has {n} bytes; the limit is {most}.",
            where=str(path),
            mend="Leave out columns or take a sample of the rows.",
            n=size,
            most=MOST_BYTES,
        )


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # a name that is too long, a folder that may not be entered
        return False


def is_folder(path: Path) -> bool:
    """Whether there is a folder of that name."""
    return _exists(path) and path.is_dir()


def read_text(path: Path) -> str:
    """Return the text of a UTF-8 file, without its byte order mark.

    Raises:
        BadInput: As `read_bytes`; or it is another kind of file, or holds NUL bytes, or is not UTF-8.
    """
    data = read_bytes(path)
    _refuse_another_kind(data, path)
    if b"\0" in data:
        raise BadInput(
            "There is a NUL byte in this text.",
            where=_line(path, data, data.index(b"\0")),
            mend="The file is damaged or not text; export it again as UTF-8.",
        )
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadInput(
            "This text is not UTF-8; it looks like GBK."
            if _looks_like_gbk(data)
            else "This text is not UTF-8.",
            where=_line(path, data, error.start),
            mend="Save it again as UTF-8.",
        ) from error


def _refuse_another_kind(data: bytes, path: Path) -> None:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise BadInput(
            "This text is UTF-16, not UTF-8.", where=str(path), mend="Save it again as UTF-8."
        )
    for sign, kind in SIGNS.items():
        if data.startswith(sign):
            raise BadInput(
                "This is a {kind} file, not text.",
                where=str(path),
                mend="Export it as CSV, JSONL or Parquet, and end its name accordingly.",
                kind=kind,
            )


def _looks_like_gbk(data: bytes) -> bool:
    """Whether it reads as Chinese in GBK, mostly in characters of everyday use (GB 2312)."""
    try:
        text = data.decode("gb18030")
    except UnicodeDecodeError:
        return False
    foreign = [c for c in text if ord(c) > 127]
    return sum(map(_is_everyday, foreign)) >= 0.7 * len(foreign)


def _is_everyday(character: str) -> bool:
    is_chinese = "\u3000" <= character <= "\u9fff" or "\uff00" <= character <= "\uffef"
    return is_chinese and bool(character.encode("gb2312", errors="ignore"))


def _line(path: Path, data: bytes, offset: int) -> str:
    return f"{path}:{data[:offset].count(bytes([10])) + 1}"
