globalThis.words = {
  "Connecting": "Verbindet",
  "Copied": "Kopiert",
  "Go on": "Fortfahren",
  "Leave a field, close a menu or dialog": "Ein Feld verlassen, ein Menü oder einen Dialog schließen",
  "Live": "Live",
  "Live every {seconds} s": "Live alle {seconds} s",
  "Next in the list": "Nächstes in der Liste",
  "Not allowed: mark it and copy": "Nicht erlaubt: markieren und kopieren",
  "Not live since {moment}, retrying": "Nicht live seit {moment}, neuer Versuch läuft",
  "Open it": "Öffnen",
  "Previous in the list": "Vorheriges in der Liste",
  "Select it": "Auswählen",
  "Sign in": "Anmelden",
  "Signed out.": "Abgemeldet.",
  "The server answered {status}. Nothing was changed.": "Der Server antwortete mit {status}. Nichts wurde geändert.",
  "The server cannot be reached. Nothing was changed.": "Der Server ist nicht erreichbar. Nichts wurde geändert.",
  "The server took too long. Reload the page to see what it did.": "Der Server brauchte zu lange. Laden Sie die Seite neu, um zu sehen, was geschehen ist.",
  "in {duration}": "in {duration}",
  "{days} d": "{days} T",
  "{days} d {hours} h": "{days} T {hours} h",
  "{duration} ago": "vor {duration}",
  "{hours} h": "{hours} h",
  "{hours} h {minutes} m": "{hours} h {minutes} min",
  "{n} change in the list": [
    "{n} Änderung in der Liste",
    "{n} Änderungen in der Liste"
  ],
  "{n} change, show": [
    "{n} Änderung, anzeigen",
    "{n} Änderungen, anzeigen"
  ],
  "{n} m": "{n} min",
  "{n} new entry": [
    "{n} neuer Eintrag",
    "{n} neue Einträge"
  ],
  "{n} new incident": [
    "{n} neuer Vorfall",
    "{n} neue Vorfälle"
  ],
  "{n} s": "{n} s"
};
