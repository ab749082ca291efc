"""What every channel is given, what it answers, and what it tells of itself."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, ClassVar, Literal, NamedTuple
from urllib.parse import quote

from django.utils.translation import gettext as _

from common.errors import Invalid

if TYPE_CHECKING:
    from django.utils.functional import _StrOrPromise as StrOrPromise


Priority = Literal["urgent", "high", "normal", "low"]


class Action(NamedTuple):
    """Something that a message offers to do: a link, and what it is called."""

    label: str
    url: str


@dataclass(frozen=True)
class Outgoing:
    """A message as it leaves: its words are final, only their form is the channel's."""

    key: str  # the same in each copy, so that whoever gets it twice can tell
    subject: str
    text: str  # plain
    url: str  # what it is about, or ""
    at: datetime  # when it came to be
    actions: tuple[Action, ...] = ()
    priority: Priority = "normal"
    kind: str = "message"  # a word for machines
    opens: str = "Open in Burnline"  # what the link to what it is about is called,
    language: str = "en"  # and in which language all of it is

    @property
    def wire_key(self) -> str:
        """The key as any header may hold it: ASCII, without dots, which Standard Webhooks keeps for itself."""
        return quote(self.key, safe=":_-").replace(".", "%2E").replace("~", "%7E")

    @property
    def links(self) -> tuple[Action, ...]:
        """Its actions, and what it is about if none of them leads there."""
        if not self.url or any(action.url == self.url for action in self.actions):
            return self.actions
        return (*self.actions, Action(self.opens, self.url))


@dataclass(frozen=True)
class Target:
    """Where a message goes, with the secret opened. Neither is ever shown or logged."""

    address: str = field(repr=False)
    secret: str = field(default="", repr=False)


@dataclass(frozen=True)
class Sent:
    """The provider has it."""

    detail: str = ""


@dataclass(frozen=True)
class Later:
    """Not now. It may go through after `retry_after` seconds, or whenever we like."""

    reason: str
    retry_after: float | None = None


@dataclass(frozen=True)
class Never:
    """Not to this target, however often we try."""

    reason: str


Outcome = Sent | Later | Never


class Channel(ABC):
    """One way to reach people."""

    kind: ClassVar[str]
    label: ClassVar[StrOrPromise]
    address_label: ClassVar[StrOrPromise]  # what its address is called,
    address_example: ClassVar[str]  # what one looks like,
    address_help: ClassVar[StrOrPromise] = ""  # where one is found,
    address_is_secret: ClassVar[bool]  # and whether having it is enough to send there
    secret_label: ClassVar[StrOrPromise] = ""  # what its secret is called, "" if it has none
    secret_help: ClassVar[StrOrPromise] = ""
    makes_secret: ClassVar[bool] = False  # whether the secret is made by us, or given by a person who may leave it out

    def usable(self) -> bool:
        """Whether this installation can send by it."""
        return True

    @abstractmethod
    def check(self, address: str) -> str:
        """The address as it is kept, or `Invalid`. Asks nobody."""

    def check_secret(self, secret: str) -> str:
        """The secret as it is kept, or `Invalid`."""
        if secret:
            raise Invalid(_("{label} has no secret.").format(label=self.label))
        return ""

    def new_secret(self) -> str:
        """A secret of ours, where it is we who make them."""
        return ""

    @abstractmethod
    def lane(self, address: str) -> str:
        """Who has to answer for this address: what is slow there delays nobody else."""

    @abstractmethod
    def masked(self, address: str) -> str:
        """As much of the address as anybody may see."""

    @abstractmethod
    def send(self, message: Outgoing, target: Target) -> Outcome:
        """Try once. Whatever comes of it is told by the outcome, without a secret in it."""
