"""No page mixes languages: every word of ours on it comes from the catalogue, and what users wrote is told from it."""

from __future__ import annotations

import re
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urljoin, urlsplit

import pytest
from django.db import transaction
from django.test import Client
from django.urls import Resolver404, resolve
from django.utils import timezone

from catalog.models import Model, Service
from incidents.models import Entry, Incident, SavedView
from notifications import methods
from people.models import AuditEvent, Discipline, Role, Team, User
from postmortems.models import ActionItem, Section
from slos.models import Slo
from tests import make, markup, words
from tests.browsing import signed_in
from tests.e2e import past

ALIKE = 2  # addresses that differ only in what is named in them
OF_ROUTE = 8
IN_ENGLISH = {"styleguide", "api-docs", "postmortem-export-html"}  # documentation, and what leaves for good
A_DRILL = "first-steps-drill"  # its script is written for who declares it, as their own words
NONSENSE = "nonsense"
OF_USERS = (Model, Service, Slo, Team, User, Discipline, Role, Incident, ActionItem, SavedView)


@dataclass(frozen=True)
class Page:
    route: str
    path: str
    html: str


def test_no_page_and_no_answer_to_a_form_says_what_the_catalogue_does_not_know(
    db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    words.speak_marked(monkeypatch)
    admin = make.user("Admin", is_admin=True)
    unlinked = past.happen(timezone.now())
    User.objects.filter(pk=admin.pk).update(language=words.MARKED)
    begin = ["/", *(path for paths in unlinked.values() for path in paths)]

    found: dict[str, str] = {}
    for page in (*walked(signed_in(admin), begin), *walked(Client(), ["/sign-in/"])):
        for said in words.unmarked(page.html, besides=written_by_users()):
            found.setdefault(said, f"{page.route} {page.path}")

    if found:
        pytest.fail("\n".join(f"{where}  {said}" for said, where in found.items()), pytrace=False)


def test_a_word_that_is_not_in_the_catalogue_is_found() -> None:
    html = """<h1>⟦Alerts ⟦now⟧⟧</h1><p translate="no">Theirs</p><p>Ours <b>⟦bold⟧</b></p><input placeholder="Search"
        value="typed"><button title="⟦Go⟧">Go</button><code>id</code>"""

    assert words.unmarked(html) == ["p: Ours", "<input placeholder='Search'>", "button: Go"]


def written_by_users() -> re.Pattern[str]:
    """Names and titles: they stand also in options, titles and labels, where no markup tells them from ours."""
    found = {
        NONSENSE,
        *(methods.why_unreachable(user) for user in User.objects.all()),
        past.LONG,
        past.RIGHT_TO_LEFT,
        "Production EU",
        "production-eu",
        "My own bot",
    }
    for kind in OF_USERS:
        names = [name for name in ("name", "title", "slug", "email") if any(f.name == name for f in kind._meta.fields)]
        for row in kind._default_manager.values_list(*names):
            found.update(filter(None, row))
    return re.compile("|".join(rf"(?<!\w){re.escape(name)}(?!\w)" for name in sorted(found, key=len, reverse=True)))


def walked(client: Client, begin: Iterable[str]) -> Iterator[Page]:
    """Every page that links lead to, and what answers each form that is sent as it stands, empty, and with nonsense."""
    waiting, seen, sent = deque(begin), set(), set()
    alike: Counter[tuple[str, ...]] = Counter()
    while waiting:
        path = waiting.popleft()
        kind = kind_of(path)
        if path in seen or alike[kind] >= ALIKE or alike[kind[:1]] >= OF_ROUTE or kind[0] in IN_ENGLISH:
            continue
        seen.add(path)
        alike.update({kind, kind[:1]})
        answer = client.get(path)
        if "location" in answer.headers:
            waiting.append(local(path, answer.headers["location"]))
        if not (html := html_of(answer)):
            continue
        yield Page(kind[0], path, html)
        page = markup.read(html)
        waiting.extend(local(path, target) for target in page.links)
        for form in page.forms:
            target = local(path, form.action) if form.action else path
            key = (*kind_of(target), *form.fields)
            if form.method == "POST" and key not in sent and kind_of(target)[0] not in ("", "sign-out"):
                sent.add(key)
                yield from answered(client, path, target, form)


def answered(client: Client, path: str, target: str, form: markup.Form) -> Iterator[Page]:
    for fields in (form.fields, dict.fromkeys(form.fields, ""), dict.fromkeys(form.fields, NONSENSE)):
        point = transaction.savepoint()
        answer = client.post(target, fields, headers={"referer": f"http://testserver{path}"})
        leads = local(target, answer.headers.get("location", ""))
        if answer.status_code == 302 and leads:
            answer = client.get(leads)
        told = [text for text in kept() if words.BEGIN in text]
        transaction.savepoint_rollback(point)
        assert not told or kind_of(target)[0] == A_DRILL, f"{target} keeps words in the language of who sent it: {told}"
        if html := html_of(answer):
            yield Page(f"POST {kind_of(target)[0]}", target, html)


def kept() -> Iterator[str]:
    """What is written down for everybody and for good, the latest of it."""
    for entries in (Entry.objects.order_by("-pk"), AuditEvent.objects.order_by("-pk"), Section.objects.order_by("-pk")):
        for row in entries[:20].values():
            yield str(row)


def html_of(answer: Any) -> str:
    is_html = answer.headers.get("content-type", "").startswith("text/html")
    return answer.content.decode() if is_html and not answer.streaming else ""


def local(at: str, target: str) -> str:
    """Where a link leads within the house; to the front door where it leads out of it, or to a place on the page."""
    whole = urlsplit(urljoin(f"http://testserver{at}", target))
    if whole.netloc != "testserver" or target.startswith("#"):
        return "/"
    return whole._replace(scheme="", netloc="", fragment="").geturl()


def kind_of(path: str) -> tuple[str, ...]:
    """Addresses of one kind have one route, and one set of words in their query."""
    parts = urlsplit(path)
    try:
        route = resolve(parts.path).view_name
    except Resolver404:
        route = ""
    return (route, *sorted({name for name, _ in parse_qsl(parts.query, keep_blank_values=True)}))
