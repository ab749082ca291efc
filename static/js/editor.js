// The editor of a section: what it will look like stands beside it, and what is written is saved by itself.

const form = document.getElementById("editor");
const text = form.querySelector("textarea");
const version = form.querySelector('input[name="version"]');
const preview = document.getElementById("preview");
const saved = document.getElementById("saved");

const SHOWN_AFTER = 400;
const SAVED_AFTER = 8000;
const clock = () => new Date().toLocaleTimeString(document.documentElement.lang, {
  timeZone: document.documentElement.dataset.timeZone,
  hour: "2-digit",
  minute: "2-digit",
});

let showing = 0;
let saving = 0;
let standing = text.value; // what the server has

function fields() {
  const body = new FormData(form);
  body.delete("preview");
  return body;
}

async function post(address, body) {
  try {
    return await fetch(address, { method: "POST", body, redirect: "manual", signal: AbortSignal.timeout(20_000) });
  } catch (error) {
    if (!["TypeError", "TimeoutError", "AbortError"].includes(error.name)) throw error;
    return null; // not reached: the next change tries again
  }
}

async function show() {
  const asked = text.value;
  const answer = await post(form.dataset.preview, fields());
  if (!answer?.ok || asked !== text.value) return;
  const shown = new DOMParser().parseFromString(await answer.text(), "text/html");
  preview.replaceChildren(...shown.body.childNodes); // made safe by the server
}

async function save() {
  const sent = text.value;
  if (sent === standing || "noAutosave" in form.dataset) return;
  const body = fields();
  body.set("autosave", "yes");
  const answer = await post(form.action, body);
  if (answer?.ok) {
    ({ version: version.value } = await answer.json());
    standing = sent;
    if (text.value !== sent) return;
    sessionStorage.removeItem(`draft:${new URL(form.action).pathname}`);
    saved.textContent = `${form.dataset.saved} ${clock()}`;
  } else if (answer?.status === 412) {
    form.dataset.noAutosave = "";
    saved.textContent = form.dataset.moved;
  }
}

text.addEventListener("input", () => {
  clearTimeout(showing);
  clearTimeout(saving);
  showing = setTimeout(show, SHOWN_AFTER);
  saving = setTimeout(save, SAVED_AFTER);
  saved.textContent = form.dataset.unsaved;
});
text.addEventListener("blur", () => {
  clearTimeout(saving);
  saving = setTimeout(save, 300); // unless the button was pressed, which saves it too
});
form.addEventListener("submit", () => clearTimeout(saving));

document.addEventListener("keydown", (event) => {
  if (event.key !== "s" || !(event.ctrlKey || event.metaKey) || event.altKey || event.shiftKey) return;
  event.preventDefault();
  save();
});

form.addEventListener("click", (event) => {
  const how = event.target.closest("[data-take]")?.dataset.take;
  if (!how) return;
  const other = form.querySelector(".standing").textContent;
  text.value = how === "append" ? `${text.value.trimEnd()}\n\n${other}` : other;
  text.dispatchEvent(new Event("input", { bubbles: true }));
  text.focus();
});

if (text.value) show();
