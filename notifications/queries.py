"""What the pages of contact methods and messages show, and what an incident shows of its messages, in few queries."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import OuterRef, QuerySet, Subquery
from django.utils.translation import ngettext

from common import work
from notifications import methods, probing
from notifications.channels import CHANNELS
from notifications.models import ContactMethod, Delivery, Message
from people.models import User

_FRESH = timedelta(minutes=10)  # for which the outcome of a test is shown


@dataclass(frozen=True, slots=True)
class Way:
    """A contact method as its owner sees it. `last`: the delivery that was tried there last, whatever came of it;
    `test`: the latest message that was to try it, if that was just now."""

    method: ContactMethod
    label: str
    is_usable: bool
    last: Delivery | None
    test: Test | None


@dataclass(frozen=True, slots=True)
class Test:
    """How a test went; while it waits there is no answer."""

    message: Message
    answer: str

    @property
    def is_waiting(self) -> bool:
        return self.message.state == Message.State.WAITING

    @property
    def arrived(self) -> bool:
        return self.message.state == Message.State.DELIVERED


def ways(user: User, now: datetime) -> list[Way]:
    """Every method of this person in their order. Four queries."""
    tests: dict[str, Message] = {}
    asked = Message.objects.filter(user=user, kind=Message.Kind.TEST, created_at__gt=now - _FRESH)
    for message in asked.order_by("created_at").prefetch_related("deliveries"):
        tests[message.topic] = message
    tried = _tried().filter(method=OuterRef("pk")).values("pk")[:1]
    latest = user.contact_methods.annotate(tried=Subquery(tried)).values("tried")
    last = {each.method_id: each for each in Delivery.objects.select_related("message").filter(pk__in=latest)}
    own = user.contact_methods.all()
    return [_way(method, last.get(method.pk), tests.get(probing.topic_of(method))) for method in own]


def way_of(method: ContactMethod, now: datetime) -> Way:
    """One of them."""
    asked = Message.objects.filter(topic=probing.topic_of(method), created_at__gt=now - _FRESH)
    test = asked.order_by("created_at").prefetch_related("deliveries").last()
    return _way(method, _tried().filter(method=method).first(), test)


def last_to_account(user: User) -> Delivery | None:
    """The delivery that was tried last at the e-mail address of their account."""
    return _tried().filter(is_to_account=True, message__user=user).first()


def _tried() -> QuerySet[Delivery]:
    """Deliveries that were tried, the latest try first."""
    tried = Delivery.objects.select_related("message").filter(last_tried_at__isnull=False)
    return tried.order_by("-last_tried_at", "-pk")


def _way(method: ContactMethod, last: Delivery | None, message: Message | None) -> Way:
    test = Test(message, " ".join(each.last_answer for each in message.deliveries.all())) if message else None
    return Way(method, methods.label_of(method.kind), methods.is_usable(method.kind), last, test)


# For administrators


def messages(*, state: str = "", channel: str = "", person: User | None = None) -> QuerySet[Message]:
    """With who is told, and their deliveries."""
    found: QuerySet[Message] = Message.objects.select_related("user").prefetch_related("deliveries")
    if state:
        found = found.filter(state=state)
    if channel:
        found = found.filter(pk__in=Delivery.objects.filter(channel=channel, tries__gt=0).values("message"))
    return found.filter(user=person) if person is not None else found


@dataclass(frozen=True, slots=True)
class Leg:
    """A delivery, and what people call its channel."""

    delivery: Delivery
    label: str

    @property
    def is_stuck(self) -> bool:
        return self.delivery.state == work.DueWork.State.QUARANTINED

    @property
    def in_vain(self) -> str:
        """How often it was tried, where all of that was in vain."""
        tries = self.delivery.tries
        return ngettext("Failed once", "Failed {n} times", tries).format(n=tries)


@dataclass(frozen=True, slots=True)
class Row:
    """A message in the list. `legs`: the deliveries that were tried."""

    message: Message
    legs: list[Leg]


def legs(message: Message) -> list[Leg]:
    return [Leg(delivery, methods.label_of(delivery.channel)) for delivery in message.deliveries.all()]


def rows(messages: Iterable[Message]) -> list[Row]:
    """Those of `messages`, without a further query."""
    return [Row(each, [leg for leg in legs(each) if leg.delivery.tries or leg.is_stuck]) for each in messages]


def channels() -> list[tuple[str, str]]:
    return [(kind, str(channel.label)) for kind, channel in CHANNELS.items()]


# For incidents


@dataclass(frozen=True, slots=True)
class Notice:
    """What came of the latest message to somebody of a topic. `via`: the channel that brought it, or that is tried."""

    message: Message
    via: str
    tries: int

    @property
    def state(self) -> str:
        return self.message.state


def notices(topic: str, users: Collection[User], kinds: Collection[str]) -> dict[int, Notice]:
    """By user: how the latest message of these kinds went. Two queries, none for nobody."""
    if not users:
        return {}
    found = Message.objects.filter(topic=topic, user__in=users, kind__in=kinds).order_by("created_at")
    return {message.user_id: _notice(message) for message in found.prefetch_related("deliveries")}


def _notice(message: Message) -> Notice:
    line = list(message.deliveries.all())
    sent = next((each for each in line if each.outcome == Delivery.Outcome.SENT), None)
    waiting = [each for each in line if each.outcome == Delivery.Outcome.WAITING]
    current = sent or max(waiting, key=lambda each: (each.tries > 0, each.position if each.tries else 0), default=None)
    return Notice(message, methods.label_of(current.channel) if current else "", sum(each.tries for each in line))
