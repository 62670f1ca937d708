"""The options that several verbs share."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from fivefold.core.text import LANGUAGES


class Lang(StrEnum):
    """Languages of messages and reports."""

    EN = "en"
    ZH = "zh"


class DeviceName(StrEnum):
    """Where networks are trained."""

    AUTO = "auto"
    CPU = "cpu"
    CUDA = "cuda"


class Format(StrEnum):
    """What a report is written as."""

    HTML = "html"
    JSON = "json"
    CARD = "card"
    MD = "md"
    MLBOM = "mlbom"


class EvidenceName(StrEnum):
    """Whose questions a run is held against."""

    ANNEX_IV = "annex-iv"
    NIST = "nist"
    ISO42001 = "iso42001"
    CN = "cn"


assert tuple(Lang) == LANGUAGES
Json = Annotated[bool, typer.Option("--json", help="Write JSON on stdout and nothing else.")]
Language = Annotated[
    Lang,
    typer.Option(
        "--lang", help="Language of messages and reports; the variable FIVEFOLD_LANG works too."
    ),
]
RunPath = Annotated[Path, typer.Argument(help="Folder of a run, such as runs/medical.")]
Workdir = Annotated[Path, typer.Option(help="Folder of the run folders.")]
StageName = Annotated[str, typer.Option(help="Name of a stage; the last one if not given.")]
