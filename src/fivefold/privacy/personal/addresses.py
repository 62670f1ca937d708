"""Postal addresses, by rules: a street with a number, and what belongs to it.

Rules are no reader: villages, estates and post boxes without a street and a number are missed.
"""

import re

from fivefold.privacy.personal.finder import Finder, Match, Span

FARTHEST = 40
NUMBER = r"[0-9一二三四五六七八九十百甲乙]{1,6}"
BEFORE = re.compile("[\u4e00-\u9fff0-9]{1,40}$")
LEAD_IN = re.compile(
    r"[^省市区县州旗镇乡]*(?:地址|住址|位于|家住|寄往|送往|收货|现居|[在到住寄是])"
)  # what is cut off by mistake would be left over, so doubtful words stay
ESTATE = "(?:[\u4e00-\u9fff]{1,10}(?:广场|大厦|小区|花园|中心|公寓|[苑园城]))?"
ROOM = r"(?:[ ]?[A-Za-z]?(?:[0-9-]{1,6}|[一二三四五六七八九十]{1,3}|[A-Za-z])(?:号楼|栋|幢|座|单元|层|楼|室|户|房)){0,4}"
STREET = "Street|St|Avenue|Ave|Road|Rd|Boulevard|Blvd|Lane|Ln|Drive|Dr|Court|Ct|Way|Place|Pl|Square|Terrace"


def _check(match: Match) -> Span | None:
    """Go back from the street's last character over its name, district, city and province."""
    end = match.start()
    before = BEFORE.search(match.string[max(0, end - FARTHEST) : end])
    if before is None:
        return None
    lead_in = LEAD_IN.match(before[0])
    kept = before[0][lead_in.end() :] if lead_in else before[0]
    return Span(end - len(kept), match.end()) if kept else None


CHINESE_ADDRESS = Finder(
    kind="postal address",
    pattern=re.compile(
        rf"(?:大道|胡同|[路街道巷弄里])(?:[ ]?{NUMBER}弄)?[ ]?{NUMBER}号(?:院|大院|附[0-9]{{1,4}}号)?{ESTATE}{ROOM}"
    ),
    check=_check,
    confidence="rule",
)
ENGLISH_ADDRESS = Finder(
    kind="postal address",
    pattern=re.compile(
        r"(?<![0-9A-Za-z.])[0-9]{1,6}[A-Za-z]? (?:[NSEW]\.? )?(?:[A-Z0-9][A-Za-z0-9']{0,20} ){1,4}"
        rf"(?:{STREET})\b\.?(?:,? (?:Apt|Apartment|Suite|Ste|Unit|Flat|#)\.? ?[0-9A-Z]{{1,6}})?"
        r"(?:, [A-Z][A-Za-z]{1,20}(?: [A-Z][A-Za-z]{1,20}){0,2}, [A-Z]{2} [0-9]{5}(?:-[0-9]{4})?)?"
    ),
    confidence="rule",
)
