"""Mobile numbers of mainland China: 11 digits, the first three given out by the ministry."""

import re

from fivefold.privacy.personal.finder import Finder, Match, Span
from fivefold.privacy.personal.plain import compact

SECOND = {
    "3": "0123456789",
    "4": "01456789",
    "5": "012356789",
    "6": "2567",
    "7": "012345678",
    "8": "0123456789",
    "9": "012356789",
}
NOT_A_PHONE = re.compile(
    r"(?:订单号?|单号|流水号?|运单号?|编号|交易号|快递|ISBN|order(?: (?:no|number|id))?|invoice|tracking"
    r"|\bref|[$¥￥€£])[:：.# 为是]{0,3}$",
    re.IGNORECASE,
)
AMOUNT = r"(?![0-9A-Za-z]|[.][0-9]{1,2}(?![0-9])|[ ]?(?:元|块钱|美元|万元|亿元|USD|CNY|RMB))"
BEFORE = (
    r"(?:(?<![0-9A-Za-z.+-])|(?<=[^0-9][.-])|(?<=^[.-])"
    r"|(?<=1[3-9][0-9]{9}[.-])|(?<=tel)|(?<=phone)|(?<=mobile)|(?<=wechat)|(?<=wx)|(?<=vx))"
)


def is_told_otherwise(match: Match) -> bool:
    """Whether the words right before a number call it an order, an invoice or a price."""
    return NOT_A_PHONE.search(match.string[max(0, match.start() - 24) : match.start()]) is not None


def _check(match: Match) -> Span | None:
    number = compact(match[0])[-11:]
    is_real = number[2] in SECOND[number[1]] and not is_told_otherwise(match)
    return Span(*match.span()) if is_real else None


MOBILE = Finder(
    kind="mobile number",
    pattern=re.compile(
        BEFORE + r"(?:\(?(?:\+|00)?86\)?[ -]{0,2})?1[3-9][0-9](?:[ .-]{0,2}[0-9]{4}){2}" + AMOUNT,
        re.IGNORECASE,
    ),
    check=_check,
)
