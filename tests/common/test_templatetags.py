"""How values look on every page."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction

import pytest
from django import forms
from django.template import Context, Template
from django.utils import translation

from common.templatetags import burnline

NOW = datetime(2026, 11, 22, 3, 5, tzinfo=UTC)


def rendered(source: str, **context: object) -> str:
    return Template("{% load burnline %}" + source).render(Context(context))


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 s"),
        (59, "59 s"),
        (60, "1 m"),
        (3599, "59 m"),
        (3600, "1 h"),
        (4320, "1 h 12 m"),
        (86400, "1 d"),
        (93600, "1 d 2 h"),
        (timedelta(minutes=72), "1 h 12 m"),
        (-5, "0 s"),
    ],
)
def test_a_duration_has_at_most_two_units(seconds: float | timedelta, words: str) -> None:
    assert burnline.duration(seconds) == words


def test_an_unknown_duration_is_a_dash_that_says_why_and_never_zero() -> None:
    text = rendered('{{ gap|duration:"not resolved yet" }}', gap=None)

    assert 'title="not resolved yet"' in text
    assert "–" in text
    assert "0" not in text


@pytest.mark.parametrize(
    ("share", "words"),
    [
        ("0.312", "31.2%"),
        (Decimal("0.5"), "50%"),
        ("0", "0%"),
        ("1", "100%"),
        ("0.00004", "0.004%"),
        ("0.9999", "99.99%"),
        ("1.25", "125%"),
    ],
)
def test_a_share_has_the_digits_it_needs_to_differ_from_nothing_and_all(share: str | Decimal, words: str) -> None:
    assert burnline.percent(share) == words


def test_an_unknown_share_is_not_nothing() -> None:
    assert 'title="no samples"' in rendered('{{ share|percent:"no samples" }}', share=None)


@pytest.mark.parametrize(
    ("at", "show", "words"),
    [
        (NOW - timedelta(minutes=12), "ago", "12 m ago"),
        (NOW + timedelta(minutes=14), "ago", "in 14 m"),
        (NOW - timedelta(days=8), "ago", "14 Nov 2026"),
        (NOW - timedelta(minutes=72), "since", "1 h 12 m"),
        (NOW, "clock", "03:05"),
        (NOW, "date", "22 Nov 2026"),
        (NOW, "moment", "22 Nov 2026, 03:05"),
    ],
)
def test_a_time_is_written_by_the_server_for_readers_without_a_script(at: datetime, show: str, words: str) -> None:
    text = rendered("{% time at show=show %}", at=at, show=show, now=NOW)

    assert text.endswith(f">{words}</time>")
    assert f'title="{at:%Y-%m-%d %H:%M:%S} UTC"' in text


def test_a_time_that_has_not_come_says_so() -> None:
    assert 'title="not acknowledged"' in rendered('{% time at reason="not acknowledged" %}', at=None)


@pytest.mark.parametrize(
    ("name", "letters"),
    [
        ("Ana Kovač", "AK"),
        ("Ravi", "R"),
        ("Jean-Luc van der Berg", "JB"),
        ("", "?"),
        ("  ", "?"),
        ("محمد علي", "مع"),
        ("😀", "?"),
    ],
)
def test_initials_are_of_the_first_and_the_last_word(name: str, letters: str) -> None:
    assert burnline.initials(name) == letters


def test_a_person_keeps_their_tint() -> None:
    assert burnline.avatar("Ana Kovač") == burnline.avatar("Ana Kovač")


def test_names_and_reasons_cannot_bring_markup() -> None:
    text = rendered("{% avatar name %}{% unknown name %}{% icon 'bell' label=name %}", name='"><script>x</script>')

    assert "<script>" not in text
    assert '"">' not in text


def test_an_icon_without_a_label_is_passed_over_by_screen_readers() -> None:
    assert 'aria-hidden="true"' in rendered("{% icon 'bell' %}")
    assert 'aria-label="Alerts"' in rendered("{% icon 'bell' label='Alerts' %}")


class Declare(forms.Form):
    title = forms.CharField(help_text="In one line.")
    severity = forms.ChoiceField(choices=[("sev1", "SEV1")])
    private = forms.BooleanField(required=False)
    disciplines = forms.MultipleChoiceField(
        choices=[("sre", "SRE")], widget=forms.CheckboxSelectMultiple, required=False
    )
    token = forms.CharField(widget=forms.HiddenInput)


def field(form: forms.Form, name: str) -> str:
    return rendered('{% include "_partials/field.html" with field=field only %}', field=form[name])


def test_a_field_names_its_help_and_its_error_to_screen_readers() -> None:
    html = field(Declare({}), "title")

    assert 'aria-describedby="id_title_helptext id_title_error"' in html
    assert 'id="id_title_helptext"' in html
    assert 'id="id_title_error"' in html
    assert 'aria-invalid="true"' in html
    assert "form-control is-invalid" in html


def test_an_optional_field_says_so() -> None:
    assert "(optional)" in field(Declare(), "disciplines")
    assert "(optional)" not in field(Declare(), "title")


def test_each_kind_of_field_wears_its_class() -> None:
    form = Declare()

    assert 'class="form-select"' in field(form, "severity")
    assert 'class="form-check-input"' in field(form, "private")
    assert field(form, "disciplines").count('class="form-check-input"') == 1
    assert "<label" not in field(form, "token")


def test_a_target_is_shown_with_every_digit_of_it() -> None:
    shown = [burnline.target(text) for text in ("0.999", "0.95", "0.9995", "1", "0", "0.99999")]

    assert shown == ["99.9%", "95%", "99.95%", "100%", "0%", "99.999%"]


def test_a_bar_stops_at_both_ends_and_a_fraction_is_as_good_as_a_decimal() -> None:
    shown = [burnline.bar(share) for share in (Fraction(1, 3), Decimal("-0.2"), "1.4", None)]

    assert shown == ["33.3", "0.0", "100.0", "0"]
    assert burnline.percent(Fraction(1, 3)) == "33.3%"


def test_burn_rates_and_events_are_unknown_rather_than_zero() -> None:
    shown = [burnline.rate(Fraction(burn)) for burn in ("0", "1", "14.4", "1000", "0.78", "0.001")]

    assert shown == ["0×", "1×", "14.4×", "1,000×", "0.78×", "<0.01×"]
    assert [burnline.events(Fraction(count)) for count in ("0", "2.5", "1840.4")] == ["0", "2.5", "1,840"]
    assert "unknown" in burnline.rate(None) and "unknown" in burnline.events(None)


def test_what_is_rendered_once_is_rendered_again_for_another_value_or_language() -> None:
    inside = "{% translate 'Open' %} {{ section }} {{ n }} {{ beside }}"
    page = Template("{% load burnline i18n %}{% once section n %}" + inside + "{% endonce %}")

    def shown(**values: object) -> str:
        return page.render(Context(values))

    first = shown(section="alerts", n=1, beside="first")
    assert shown(section="alerts", n=1, beside="second") == first == "Open alerts 1 first"
    assert shown(section="alerts", n=2, beside="third") == "Open alerts 2 third"
    assert shown(section="slos", n=1, beside="fourth") == "Open slos 1 fourth"
    with translation.override("de"):
        assert shown(section="alerts", n=1, beside="fifth") == "Offen alerts 1 fifth"


def test_what_is_rendered_once_is_kept_for_a_bounded_number_of_values() -> None:
    page = Template("{% load burnline %}{% once n %}{{ n }}{% endonce %}")

    for n in range(3 * burnline.Once.KEPT):
        assert page.render(Context({"n": n})) == str(n)

    [node] = page.nodelist.get_nodes_by_type(burnline.Once)
    assert isinstance(node, burnline.Once)
    assert len(node._rendered) <= burnline.Once.KEPT
