"""Who is named in a text by @ and the start of their e-mail address, or all of it."""

from __future__ import annotations

import re
from collections import defaultdict
from html.parser import HTMLParser

from django.db.models import Q

from people.models import User

MOST = 20  # in one text

_MENTION = re.compile(r"(?<![\w@./+-])@([a-z0-9][a-z0-9._%+-]*(?:@[a-z0-9][a-z0-9.-]*\.[a-z]{2,})?)", re.IGNORECASE)
_CODE = ("code", "pre")


def mentioned(html: str) -> list[User]:
    """The active people whom a rendered text names; code in it names nobody. The start of an address that several of
    them have names none of them."""
    names = _names(html)
    if not names:
        return []
    whole = {name for name in names if "@" in name}
    asked = Q(email__in=whole)
    for start in names - whole:
        asked |= Q(email__startswith=f"{start}@")
    by_start: dict[str, list[User]] = defaultdict(list)
    for user in User.objects.filter(asked, is_active=True).order_by("name", "id"):
        by_start[user.email.lower().partition("@")[0]].append(user)
    return [
        user
        for start, users in by_start.items()
        for user in users
        if user.email.lower() in whole or (start in names and len(users) == 1)
    ]


def _names(html: str) -> set[str]:
    if "@" not in html:
        return set()
    prose = _Prose()
    prose.feed(html)
    prose.close()
    names = dict.fromkeys(found[1].rstrip(".-").lower() for found in _MENTION.finditer("".join(prose.said)))
    return set(list(names)[:MOST])


class _Prose(HTMLParser):
    """What is said in HTML, without what is code."""

    def __init__(self) -> None:
        super().__init__()
        self.said: list[str] = []
        self._depth = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._depth += tag in _CODE

    def handle_endtag(self, tag: str) -> None:
        self._depth -= tag in _CODE

    def handle_data(self, data: str) -> None:
        self.said.append(" " if self._depth else data)
