// On the page of an incident: the composer's keys, and links that open what they lead to.

const composer = document.querySelector("form.composer");

/** <a href="#note" data-compose="update">: the kind is chosen, and the cursor is in the field. */
function compose(kind) {
  const radio = composer?.querySelector(`input[name="kind"][value="${CSS.escape(kind)}"]`);
  if (!radio) return;
  radio.checked = true;
  composer.querySelector("textarea").focus();
}

document.addEventListener("click", (event) => {
  const link = event.target.closest("[data-compose]");
  if (!link || !composer) return;
  event.preventDefault();
  composer.scrollIntoView({ block: "center" });
  compose(link.dataset.compose);
});

document.addEventListener("keydown", (event) => {
  const sends = event.key === "Enter" && (event.ctrlKey || event.metaKey) && !event.isComposing;
  if (!sends || !event.target.matches("form.composer textarea")) return;
  event.preventDefault();
  event.target.form.requestSubmit();
});

/** An entry that a link leads to may stand in a fold. */
function unfold() {
  const target = location.hash && document.getElementById(location.hash.slice(1));
  const fold = target && target.closest(".fold details:not([open])");
  if (!fold) return;
  fold.open = true;
  target.scrollIntoView({ block: "center" });
}

addEventListener("hashchange", unfold);
unfold();
if (location.hash === "#note" || location.search.includes("amend=")) composer?.querySelector("textarea").focus();
