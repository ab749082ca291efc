// Dialogs that are opened by a button, data-opens="its id"; and the question before what cannot be undone: a form or
// button with data-confirm="what will happen", data-confirm-act="the verb". Unscripted, the form is simply sent, or leads to
// a page that asks. hx-confirm asks in the same way.

const question = document.getElementById("confirm");
let going = () => {};

document.addEventListener("click", (event) => {
  const opener = event.target.closest("[data-opens]");
  if (opener) document.getElementById(opener.dataset.opens).showModal();
  if (event.target.matches("dialog.dialog")) event.target.close(); // beside it
});

document.addEventListener(
  "submit",
  (event) => {
    const { target: form, submitter } = event;
    const asks = submitter?.dataset.confirm ? submitter : form;
    if (!asks.dataset.confirm || form.dataset.confirmed) {
      delete form.dataset.confirmed;
      return;
    }
    event.preventDefault();
    event.stopImmediatePropagation();
    ask(asks.dataset.confirm, asks.dataset.confirmAct || submitter?.textContent, () => {
      form.dataset.confirmed = "yes";
      form.requestSubmit(submitter);
    });
  },
  { capture: true },
);

document.addEventListener("htmx:confirm", (event) => {
  if (!event.detail.question) return;
  event.preventDefault();
  const { confirmAct } = event.detail.elt.dataset;
  ask(event.detail.question, confirmAct, () => event.detail.issueRequest(true));
});

function ask(words, verb, go) {
  going = go;
  question.querySelector("p").textContent = words;
  question.querySelector("[value=yes]").textContent = (verb || gettext("Go on")).trim();
  question.returnValue = "";
  question.showModal();
}

question?.addEventListener("close", () => question.returnValue === "yes" && going());
