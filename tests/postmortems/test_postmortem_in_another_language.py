"""A postmortem whose reader speaks another language: the page is theirs, the document is everybody's."""

from people.models import User
from postmortems.models import Postmortem
from tests.browsing import page, signed_in


def test_the_page_asks_its_questions_in_the_reader_s_language(postmortem: Postmortem, alice: User) -> None:
    User.objects.filter(pk=alice.pk).update(language="de")

    shown = page(alice, f"/postmortems/{postmortem.number}/")

    assert "Beginn der Auswirkung" in shown
    assert "Bis zur Eindämmung" in shown
    assert "Beitragende Faktoren" in shown
    assert "Welches Ereignis hat es ausgelöst?" in shown
    assert "Unter „Auslöser“ ist noch nichts geschrieben." in shown


def test_what_is_saved_as_a_file_is_english_whoever_saves_it(postmortem: Postmortem, alice: User) -> None:
    User.objects.filter(pk=alice.pk).update(language="de")

    kept = signed_in(alice).get(f"/postmortems/{postmortem.number}/export.md").content.decode()

    assert "Contributing factors" in kept
    assert "Nothing is written yet under" in kept
    assert "ist noch nichts geschrieben" not in kept
