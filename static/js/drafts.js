// What is being typed outlives a session that ended, a wrong click and a reload: <form data-draft>.
// The tab keeps it until the form has arrived, is cancelled, or its reader signs out.

const PREFIX = "draft:";
const SENT = "draft-sent"; // where from, and what, until it is known to have arrived
const keep = window.sessionStorage;

const forms = document.querySelectorAll("form[data-draft]");
const keyOf = (form) => PREFIX + new URL(form.action).pathname;
const lasting = (form) =>
  [...form.elements].filter(({ name, type }) => name && name !== "csrfmiddlewaretoken" && type !== "submit");

/** The fields of a form as they stand, the version that its text was begun upon among them. */
function read(form) {
  const isTicked = ({ type, checked }) => (type === "radio" || type === "checkbox" ? checked : null);
  return lasting(form).map((field) => [field.name, field.value, isTicked(field)]);
}

function restore(form, fields) {
  for (const [name, value, checked] of fields) {
    for (const field of lasting(form).filter((field) => field.name === name)) {
      if (checked === null) field.value = value;
      else if (field.value === value) field.checked = checked;
    }
  }
}

// It has arrived when the next page came from there, is for somebody who is signed in, and is no refusal.
const sent = JSON.parse(keep.getItem(SENT) ?? "null");
keep.removeItem(SENT);
const isAnswer = document.body.matches(".with-rail") && !document.querySelector("[data-refusal]");
if (sent && isAnswer && document.referrer === sent.from) keep.removeItem(sent.key);

for (const form of forms) {
  const key = keyOf(form);
  const kept = keep.getItem(key);
  if (kept) restore(form, JSON.parse(kept));
  form.addEventListener("input", () => keep.setItem(key, JSON.stringify(read(form))));
  form.addEventListener("submit", () => {
    keep.setItem(key, JSON.stringify(read(form)));
    keep.setItem(SENT, JSON.stringify({ from: location.href.split("#")[0], key }));
  });
  for (const cancel of form.querySelectorAll(".form-actions a")) {
    cancel.addEventListener("click", () => keep.removeItem(key));
  }
}

for (const form of document.querySelectorAll("form[data-forget-drafts]")) {
  form.addEventListener("submit", () => keep.clear());
}
