"""A verdict as JUnit XML, which every CI system reads."""

import re
from xml.etree.ElementTree import Element, SubElement, tostring

from fivefold.report.check import Check
from fivefold.report.verdict import Verdict

_FORBIDDEN = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # by XML 1.0


def junit(verdict: Verdict) -> str:
    """Return the verdict as JUnit XML: a broken limit fails, a missing number fails or is skipped."""
    failed, skipped = (
        len(verdict.failures),
        sum(c.status == "MISSING" and c.passed for c in verdict.checks),
    )
    counts = {"tests": str(len(verdict.checks)), "failures": str(failed), "skipped": str(skipped)}
    suites = Element("testsuites", {"name": "fivefold gate", **counts})
    suite = SubElement(suites, "testsuite", {"name": _clean(verdict.run), "errors": "0", **counts})
    for check in verdict.checks:
        _case(suite, check)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + tostring(suites, encoding="unicode") + "\n"


def _case(suite: Element, check: Check) -> None:
    name = f"{check.key} {check.rule} {check.limit:g}"
    case = SubElement(suite, "testcase", {"classname": _clean(check.stage), "name": _clean(name)})
    if check.status != "PASS":
        message = {"message": _clean(_told(check)), "type": check.status}
        SubElement(case, "skipped" if check.passed else "failure", message)


def _told(check: Check) -> str:
    if check.status == "MISSING":
        return f"not measured: {check.reason}"
    return f"{check.value:.6g} [{check.low:.6g}, {check.high:.6g}]: {check.judged:.6g} breaks {check.rule} {check.limit:g}"


def _clean(told: str) -> str:
    return _FORBIDDEN.sub("\ufffd", told)
