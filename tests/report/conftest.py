"""One run for all tests of the report, and its pages, which take seconds to draw."""

import pytest

from fivefold.recipe import Run
from fivefold.report import judge, page, policy_from
from report.made_up import POLICY, made_up


@pytest.fixture(scope="session")
def run() -> Run:
    return made_up()


@pytest.fixture(scope="session")
def pages(run) -> dict[str, str]:
    verdict = judge(run, policy_from(POLICY))
    return {language: page(run, language, verdict) for language in ("en", "zh")}
