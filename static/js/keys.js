// Single keys, said where they act: data-key="a" on a button or link clicks it, on a field goes to it; "g i" is two keys
// after one another. In a list, <tbody data-list> or <ul data-list>, j and k move between its rows (its children, or what in
// it has data-item), x ticks the one at hand, and what has a data-key in a row acts for that row alone. `?` lists what there is on the page: each by its
// data-key-label, else its name. Off inside fields, in dialogs, with modifiers, and for who has switched them off.

const PATIENCE = 1500; // between the two of a pair
const TYPED_IN = "textarea, select, [contenteditable], input:not([type=checkbox], [type=radio], [type=button], [type=submit])";

const isOn = "keys" in document.documentElement.dataset;
const dialog = document.getElementById("keys");
let first = "";
let timer = 0;

if (isOn) document.addEventListener("keydown", press);

function press(event) {
  if (event.defaultPrevented || event.isComposing || event.ctrlKey || event.metaKey || event.altKey) return;
  const isInField = event.target.matches?.(TYPED_IN);
  if (event.key === "Escape" && isInField && !event.target.closest("dialog, [popover]")) event.target.blur();
  if (isInField || document.querySelector("dialog[open]")) return;
  const keys = first ? `${first} ${event.key}` : event.key;
  const isMove = keys === "j" || keys === "k";
  if (event.repeat && !isMove) return;
  wait(!first && pairsBeginWith(event.key) ? event.key : "");
  const isDone = first || (isMove ? move(keys === "j" ? 1 : -1) : keys === "x" ? tick() : act(keys));
  if (isDone) event.preventDefault();
}

function wait(key) {
  clearTimeout(timer);
  first = key;
  timer = setTimeout(() => (first = ""), PATIENCE);
}

function pairsBeginWith(key) {
  return key.length === 1 && document.querySelector(`[data-key^="${CSS.escape(key)} "]`) !== null;
}

// What a key does

function act(keys) {
  const target = targetOf(keys);
  if (!target) return false;
  if (target.matches(TYPED_IN)) {
    for (let fold = target.closest("details"); fold; fold = fold.parentElement.closest("details")) fold.open = true;
    target.focus();
    target.select?.();
  } else {
    target.click();
  }
  return true;
}

/** What this key means here: in the row at hand, else the one that is seen, else one in a menu that can be opened; of the
    page before of its frame. */
function targetOf(keys) {
  const isOfPage = (element) => element.closest("main") !== null;
  const all = [...document.querySelectorAll(`[data-key="${CSS.escape(keys)}"]:not(:disabled)`)].sort(
    (one, other) => isOfPage(other) - isOfPage(one),
  );
  const row = rowAtHand();
  const free = all.filter((element) => !rowOf(element));
  return all.find((element) => row?.contains(element)) ?? free.find(isSeen) ?? free.find(isFolded);
}

function isSeen(element) {
  return element.checkVisibility({ visibilityProperty: true });
}

function isFolded(element) {
  const fold = element.closest("details:not([open])");
  return fold !== null && isSeen(fold);
}

// Lists

function rows() {
  return [...document.querySelectorAll("[data-list] [data-item], [data-list]:not(:has([data-item])) > *")].filter(isSeen);
}

function rowOf(element) {
  return element?.closest("[data-item], [data-list]:not(:has([data-item])) > *");
}

function rowAtHand() {
  return rowOf(document.activeElement);
}

function move(step) {
  const all = rows();
  if (!all.length) return false;
  const at = all.indexOf(rowAtHand());
  const next = all[at < 0 ? (step > 0 ? 0 : all.length - 1) : Math.min(Math.max(at + step, 0), all.length - 1)];
  const link = next.querySelector("[data-open]") ?? next.querySelector("a[href]");
  link?.focus({ preventScroll: true });
  next.scrollIntoView({ block: "nearest" });
  return true;
}

function tick() {
  const box = rowAtHand()?.querySelector("input[type=checkbox]:not(:disabled)");
  box?.click();
  return Boolean(box);
}

// The list of them

function known() {
  const found = new Map();
  for (const element of document.querySelectorAll("[data-key]")) {
    const { key } = element.dataset;
    if (!found.has(key) && (rowOf(element) || isSeen(element) || isFolded(element))) {
      found.set(key, nameOf(element));
    }
  }
  if (rows().length) {
    found.set("j", gettext("Next in the list"));
    found.set("k", gettext("Previous in the list"));
    found.set("Enter", gettext("Open it"));
    if (document.querySelector("[data-list] input[type=checkbox]")) found.set("x", gettext("Select it"));
  }
  return found.set("Esc", gettext("Leave a field, close a menu or dialog"));
}

function nameOf(element) {
  const { keyLabel } = element.dataset;
  if (keyLabel) return keyLabel;
  const words = element.cloneNode(true);
  for (const hint of words.querySelectorAll("kbd, .count, .visually-hidden")) hint.remove();
  return words.textContent.trim() || element.getAttribute("aria-label") || element.title;
}

dialog?.addEventListener("beforetoggle", ({ newState }) => {
  if (newState !== "open") return;
  const lines = [...known()].flatMap(([keys, name]) => {
    const term = document.createElement("dt");
    const meaning = document.createElement("dd");
    for (const key of keys.split(" ")) term.append(Object.assign(document.createElement("kbd"), { textContent: key }));
    meaning.textContent = name;
    return [term, meaning];
  });
  dialog.querySelector("dl").replaceChildren(...lines);
});
