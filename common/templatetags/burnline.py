"""How values look on every page, in the reader's language: icons, times, durations, shares, people, the unknown."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache
from typing import TYPE_CHECKING

from django import forms, template
from django.conf import settings
from django.contrib.messages.storage.base import Message
from django.forms.boundfield import BoundWidget
from django.template.base import FilterExpression
from django.templatetags.static import static
from django.utils import formats, timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import get_language, gettext_lazy, pgettext
from django.utils.translation import gettext as _

from common import language
from common import undo as undoing

if TYPE_CHECKING:
    from django.utils.functional import _StrOrPromise as StrOrPromise

register = template.Library()

Number = Fraction | Decimal | float | str

SPRITE = "vendor/tabler-icons/icons.svg"
TINTS = 7  # .tint-0 ... in avatars.css
MINUTE, HOUR, DAY = 60, 3600, 86400
NOT_KNOWN, NO_DATA, NOT_YET = gettext_lazy("not known yet"), gettext_lazy("no data"), gettext_lazy("not yet")


register.filter("within_a_sentence", language.within_a_sentence)


@register.simple_tag
@lru_cache(maxsize=1024)
def icon(name: str, label: str = "") -> SafeString:
    """An icon of the sprite. Without a label it is decoration, and screen readers pass over it."""
    if label:
        return format_html(
            '<svg class="icon" role="img" aria-label="{}"><use href="{}#{}"></use></svg>', label, static(SPRITE), name
        )
    return format_html('<svg class="icon" aria-hidden="true"><use href="{}#{}"></use></svg>', static(SPRITE), name)


class Once(template.Node):
    """What `{% once %}` holds, as it was rendered for the first who read this language, with these values."""

    KEPT = 256  # of different values

    def __init__(self, inside: template.NodeList, values: Sequence[FilterExpression]) -> None:
        self._inside = inside
        self._values = values
        self._rendered: dict[tuple[object, ...], SafeString] = {}

    def render(self, context: template.Context) -> SafeString:
        key = (get_language(), *(value.resolve(context, ignore_failures=True) for value in self._values))
        rendered = self._rendered.get(key)
        if rendered is None:
            if len(self._rendered) >= self.KEPT:
                self._rendered.clear()
            rendered = self._rendered[key] = self._inside.render(context)
        return rendered


@register.tag
def once(parser: template.base.Parser, token: template.base.Token) -> Once:
    """`{% once %}...{% endonce %}`: the same on every page for everybody who reads a language, so rendered once in each
    process. Nothing in it may depend on the request, the reader or the page, but for the values that are named, as in
    `{% once section %}`: it is rendered once for each of those."""
    values = [parser.compile_filter(word) for word in token.split_contents()[1:]]
    inside = parser.parse(("endonce",))
    parser.delete_first_token()
    return Once(inside, values)


@register.simple_tag
def words_of_scripts(language: str) -> SafeString:
    """What the scripts say, in the reader's language; nothing in English, which they are written in."""
    if language == settings.LANGUAGE_CODE:
        return SafeString()
    return format_html('<script src="{}" defer></script>', static(f"js/words/{language}.js"))


@register.simple_tag
def unknown(reason: StrOrPromise) -> SafeString:
    """An en dash with the reason on hover: what is unknown is never 0."""
    return format_html(
        '<span class="unknown" title="{}"><span aria-hidden="true">–</span>'
        '<span class="visually-hidden">{}</span></span>',
        reason,
        _("unknown: {reason}").format(reason=reason),
    )


@register.filter
def duration(value: timedelta | float | None, reason: StrOrPromise = NOT_KNOWN) -> str:
    """Seconds (or a timedelta) as `1 h 12 m`, at most two units; None is unknown, for the reason given."""
    if value is None or value == "":
        return unknown(reason)
    seconds = max(0, int(value.total_seconds() if isinstance(value, timedelta) else value))
    if seconds < MINUTE:
        return _("{n} s").format(n=seconds)
    if seconds < HOUR:
        return _("{n} m").format(n=seconds // MINUTE)
    if seconds < DAY:
        hours, minutes = seconds // HOUR, seconds % HOUR // MINUTE
        return (_("{hours} h {minutes} m") if minutes else _("{hours} h")).format(hours=hours, minutes=minutes)
    days, hours = seconds // DAY, seconds % DAY // HOUR
    return (_("{days} d {hours} h") if hours else _("{days} d")).format(days=days, hours=hours)


@register.filter
def percent(share: Number | None, reason: StrOrPromise = NO_DATA) -> str:
    """A share of 1 as `31.2%`, with as many digits as it needs to differ from 0 and 100; None is unknown."""
    if share is None or share == "":
        return unknown(reason)
    value = _decimal(share) * 100
    for digits in range(1, 5):
        text = f"{value:.{digits}f}"
        if Decimal(text) == value or Decimal(text) not in (0, 100):
            break
    return _percent(text.rstrip("0").rstrip("."))


@register.filter
def target(share: Number) -> str:
    """What was promised, with every digit of it: `99.95%`."""
    return _percent(f"{(_decimal(share) * 100).normalize():f}")


def _percent(digits: str) -> str:
    return _("{number}%").format(number=_localized(digits))


def _localized(digits: str) -> str:
    """1,840.5 with the marks of the reader's language."""
    point = formats.get_format("DECIMAL_SEPARATOR")
    if point == ".":
        return digits
    return digits.translate({ord("."): point, ord(","): formats.get_format("THOUSAND_SEPARATOR")})


@register.filter
def bar(share: Number | None) -> str:
    """A share as the value of a <progress> that ends at 100; what is beyond either end stops there."""
    return "0" if share is None else f"{min(max(_decimal(share) * 100, Decimal(0)), Decimal(100)):.1f}"


@register.filter
def rate(burn: Number | None, reason: StrOrPromise = NO_DATA) -> str:
    """A burn rate as `14.4×`: at 1× the budget lasts exactly its window."""
    if burn is None:
        return unknown(reason)
    value = _decimal(burn)
    digits = 0 if value >= 100 else 1 if value >= 1 else 2
    text = f"{value:,.{digits}f}"
    if value and not Decimal(text.replace(",", "")):
        return f"<{_localized('0.01')}×"
    return f"{_localized(text.rstrip('0').rstrip('.') if digits else text)}×"


@register.filter
def events(count: Number | None, reason: StrOrPromise = NO_DATA) -> str:
    """How many events: 1,840. Parts of one, which an edge cut, show only where there are few."""
    if count is None:
        return unknown(reason)
    value = _decimal(count)
    return _localized(f"{value:,.0f}" if value >= 100 else f"{value:.2f}".rstrip("0").rstrip("."))


def _decimal(number: Number) -> Decimal:
    if isinstance(number, Fraction):
        return Decimal(number.numerator) / Decimal(number.denominator)
    return Decimal(str(number))


@register.simple_tag(takes_context=True)
def time(
    context: template.Context, at: datetime | None, show: str = "ago", reason: StrOrPromise = NOT_YET
) -> SafeString:
    """A moment, which times.js turns to the reader's zone and keeps fresh; UTC on hover.

    `show`: `ago` (12 m ago), `since` (12 m), `clock` (03:05), `date` (22 Nov 2026), `moment` (date and clock).
    "Now" is the context's `now` where the view gave one.
    """
    if at is None:
        return unknown(reason)
    now = context.get("now") or timezone.now()
    return format_html(
        '<time datetime="{}" title="{}" data-show="{}">{}</time>',
        at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC"),
        show,
        _moment(at, show, now),
    )


def _moment(at: datetime, show: str, now: datetime) -> str:
    local = timezone.localtime(at)
    match show:
        case "since":
            return duration(now - at)
        case "clock":
            return local.strftime("%H:%M")
        case "date":
            return formats.date_format(local, _day())
        case "moment":
            return formats.date_format(local, _day() + ", H:i")
        case "ago" if abs(now - at) >= timedelta(days=7):
            return formats.date_format(local, _day())
        case "ago" if at > now:
            return _("in {duration}").format(duration=duration(at - now))
        case "ago":
            return _("{duration} ago").format(duration=duration(now - at))
    raise template.TemplateSyntaxError(f"A time cannot be shown as {show!r}.")


@register.filter
def day(at: date | datetime) -> str:
    """A day as readers of the language write it: `9 Sept 2026`."""
    return formats.date_format(at, _day())


def _day() -> str:
    return pgettext("format of a day, as Django's date filter writes it", "j M Y")


@register.filter
def initials(name: str | None) -> str:
    """The first letters of the first and the last word of a name, one letter for a single word."""
    words = [word for word in (name or "").split() if word[0].isalnum()]
    letters = words[0][0] + (words[-1][0] if len(words) > 1 else "") if words else "?"
    return letters.upper()


@register.simple_tag
def avatar(name: str, size: str = "sm") -> SafeString:
    """Initials in a circle whose tint follows from the name. The name itself stands beside it, in text."""
    tint = hashlib.sha256(name.encode()).digest()[0] % TINTS
    return format_html(
        '<span class="avatar avatar-{} tint-{}" aria-hidden="true" translate="no">{}</span>', size, tint, initials(name)
    )


@register.filter
def undo(message: Message) -> undoing.Undo | None:
    """The way back that a message carries."""
    return undoing.of(message)


@register.filter
def rendered(html: str) -> SafeString:
    """The HTML that `common.markdown` made of a text when it was saved, as it is. Of nothing else."""
    return mark_safe(html)


@register.filter
def control(field: forms.BoundField) -> SafeString:
    """A form field's widget in Tabler's clothes, marked when it has errors; several choices each with their label."""
    widget = field.field.widget
    if field.use_fieldset:
        return format_html_join("", _CHOICE, ((_tag(choice), choice.choice_label) for choice in field.subwidgets))
    match widget:
        case forms.CheckboxInput():
            ours = "form-check-input"
        case forms.Select():
            ours = "form-select"
        case _:
            ours = "form-control"
    theirs = widget.attrs.get("class", "")
    invalid = "is-invalid" if field.errors else ""
    return field.as_widget(attrs={"class": " ".join(filter(None, [ours, theirs, invalid]))})


_CHOICE = '<label class="form-check">{}<span class="form-check-label">{}</span></label>'


def _tag(choice: BoundWidget) -> SafeString:
    choice.data["attrs"]["class"] = "form-check-input"
    return choice.tag()


@register.filter
def is_checkbox(field: forms.BoundField) -> bool:
    """Whether its label stands after the box instead of above it."""
    return isinstance(field.field.widget, forms.CheckboxInput)
