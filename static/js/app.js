// What every page needs around htmx: the CSRF token, an error that is seen, messages and menus that close.

const csrf = document.querySelector('meta[name="csrf-token"]');

document.addEventListener("htmx:configRequest", (event) => {
  if (csrf) event.detail.headers["X-CSRFToken"] = csrf.content;
});

// A part that is refreshed keeps what somebody has typed, chosen or unfolded in it.
const touched = {
  value: (element) => element.value !== element.defaultValue,
  checked: (element) => element.checked !== element.defaultChecked,
  selected: (element) => element.selected !== element.defaultSelected,
  open: (element) => element instanceof HTMLDetailsElement,
};
Idiomorph.defaults.ignoreActiveValue = true;
Idiomorph.defaults.callbacks.beforeAttributeUpdated = (name, element) => !touched[name]?.(element);

// What was sent is no longer being typed: <form data-reset hx-post=...>.
document.addEventListener("htmx:afterRequest", (event) => {
  const { elt, successful } = event.detail;
  if (successful && elt.matches("form[data-reset]")) elt.reset();
});

document.addEventListener("htmx:responseError", async (event) => {
  const { status, responseText, getResponseHeader } = event.detail.xhr;
  const type = getResponseHeader.call(event.detail.xhr, "Content-Type") ?? "";
  say(refusalIn(responseText, type) ?? gettext("The server answered {status}. Nothing was changed.", { status }));
});

document.addEventListener("htmx:sendError", () => say(gettext("The server cannot be reached. Nothing was changed.")));
document.addEventListener("htmx:timeout", () =>
  say(gettext("The server took too long. Reload the page to see what it did.")),
);

/** The words of a refusal, from a problem document or an error page; undefined when there are none. */
function refusalIn(body, type) {
  if (type.includes("json")) {
    try {
      return JSON.parse(body).detail;
    } catch {
      return undefined; // cut off on the way
    }
  }
  return new DOMParser().parseFromString(body, "text/html").querySelector("[data-refusal]")?.textContent.trim();
}

/** Show a message in the corner, and let a screen reader speak it. */
function say(text) {
  const corner = document.getElementById("corner");
  const message = document.getElementById("corner-message").content.cloneNode(true);
  message.querySelector(".text").textContent = text;
  corner.replaceChildren(message);
}

// A second click does not send a form twice; after a while it may, as the first may have got lost.
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.method !== "post" || event.defaultPrevented) return;
  if (form.dataset.sent) event.preventDefault();
  form.dataset.sent = "yes";
  setTimeout(() => delete form.dataset.sent, 3000);
});

// On a phone the tab that one is in may be out of sight.
for (const tab of document.querySelectorAll(".tabs [aria-current]")) {
  const { parentElement: item } = tab;
  item.parentElement.scrollLeft = item.offsetLeft - item.parentElement.offsetLeft - 24;
}

document.addEventListener("click", (event) => {
  event.target.closest("[data-dismiss]")?.closest(".message").remove();
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    if (!menu.contains(event.target)) menu.open = false;
  }
});

document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape" || document.querySelector("dialog[open]")) return;
  const menu = document.querySelector("details.menu[open]");
  if (!menu) return;
  menu.open = false;
  menu.querySelector("summary").focus();
});
