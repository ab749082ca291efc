// Brings the live parts of a page up to date when something has moved: one GET of the page's own address, so that
// permissions apply, and each <... id data-live-part> is morphed into what came. So are the warnings to everybody
// (#pulse) and the counts of the rail, which are on every page and make none live. What somebody types, chooses, unfolds or reads stays as it is
// and where it is.
//
// A part waits while a pointer is pressed or a menu is open in it. In a part with data-live-part="rows" no row comes,
// goes or changes places under a pointer or the focus: a bar, <div data-live-held="its id">, offers the changes.

const PACE = 1000; // between two refreshes, or twice what the last one took
const JITTER = 300; // many browsers hear of a change at the same moment
const RETRY = 5000;
const SETTLING = 600; // a button that has just become another one takes no click meant for the first
const TOUCHING = 3000; // how long a finger counts after it was lifted

const ITEMS = ".entry, .day, [data-seq], .person-row, .alert-group, .alert-instance, .budget";
const READ = `main :is(${ITEMS}, .composer, h2)`;

const page = document.body.dataset; // livePage, liveIncident, liveSeq, liveVersion
const root = document.documentElement;
const held = new Map(); // id of a part -> what it will become
const settling = new WeakMap(); // part -> when its buttons changed
let isWanted = false;
let underWay = false;
let timer = 0;
let earliest = 0;
let pressed = null;
let touchedAt = -TOUCHING;

document.addEventListener("live:moved", ({ detail }) => concerns(detail) && want());
document.addEventListener("visibilitychange", () => isWanted && want());

/** Whether what moved is on this page; nothing said may be anything. */
function concerns(moved) {
  if (!moved || !page.liveIncident) return true;
  return String(moved.incident) === page.liveIncident && moved.seq > Number(page.liveSeq);
}

function want() {
  isWanted = true;
  if (timer || underWay || document.hidden) return;
  timer = setTimeout(refresh, Math.max(0, earliest - Date.now()) + Math.random() * JITTER);
}

async function refresh() {
  const begun = Date.now();
  timer = 0;
  isWanted = false;
  underWay = true;
  const fresh = await fetched();
  const took = Date.now() - begun;
  underWay = false;
  earliest = begun + Math.max(PACE, 2 * took);
  if (fresh) bring(fresh);
  if (isWanted) want();
}

/** The page as it is now; nothing where it cannot be had: then it is tried again, or said why it will not be. */
async function fetched() {
  try {
    const answer = await fetch(address(), {
      headers: { "HX-Request": "true" }, // a part of a page: messages wait for a whole one
      redirect: "manual",
      cache: "no-store",
      signal: AbortSignal.timeout(20_000),
    });
    if (answer.ok) return new DOMParser().parseFromString(await answer.text(), "text/html");
    if (answer.status >= 500 || answer.status === 429) tryAgain();
    else if (answer.status === 404 || answer.status === 403) withdraw();
    else document.dispatchEvent(new CustomEvent("live:refused"));
  } catch (error) {
    if (!["TypeError", "TimeoutError", "AbortError"].includes(error.name)) throw error;
    tryAgain();
  }
  return null;
}

function tryAgain() {
  setTimeout(want, RETRY);
}

/** The reader may no longer see this: it is for the server to say so, on a page of its own. */
function withdraw() {
  location.replace(address());
}

/** Of this page; a form that was refused is shown under an address that takes no GET. */
function address() {
  const own = new URL(page.livePage ?? location.href, location.href);
  const here = own.pathname === location.pathname ? new URL(location.href) : own;
  here.hash = "";
  return here.href;
}

function bring(fresh) {
  if (fresh.documentElement.dataset.reader !== root.dataset.reader) {
    location.reload(); // somebody else has signed in here
    return;
  }
  for (const name of ["liveSeq", "liveVersion"]) {
    if (name in fresh.body.dataset) page[name] = fresh.body.dataset[name];
  }
  document.title = fresh.title;
  renewTokens(fresh);
  for (const part of document.querySelectorAll("[data-live-part], #pulse, #rail-nav")) {
    const next = fresh.getElementById(part.id);
    if (next) held.set(part.id, next);
  }
  settle();
}

function renewTokens(fresh) {
  const token = fresh.querySelector('meta[name="csrf-token"]').content;
  document.querySelector('meta[name="csrf-token"]').content = token;
  for (const field of document.querySelectorAll("input[name=csrfmiddlewaretoken]")) field.value = token;
}

/** Bring what is held to the page, but for what must wait. */
function settle(isAsked = () => false) {
  const known = new Set(newsIn(document).map(({ id }) => id));
  const keepPlace = anchor();
  for (const [id, next] of held) {
    const part = document.getElementById(id);
    if (part && mustWait(part, next, isAsked(id))) continue;
    held.delete(id);
    if (part) morph(part, next);
  }
  keepPlace();
  const arrived = newsIn(document).filter(({ id }) => !known.has(id));
  arrived.forEach(fade);
  announce(arrived);
  offer();
  document.dispatchEvent(new CustomEvent("live:refreshed"));
}

function morph(part, next) {
  const hadFocus = part.contains(document.activeElement);
  const buttons = buttonsOf(part);
  tighten(part);
  tighten(next);
  Idiomorph.morph(part, next, {
    morphStyle: "outerHTML",
    ignoreActiveValue: false, // or a focused button would keep its words and change what it does
    callbacks: {
      beforeNodeMorphed: (node) => !(node instanceof HTMLFormElement && isInHands(node)),
      beforeNodeRemoved: (node) => !(node instanceof Element && formsIn(node).some(isInHands)),
    },
  });
  htmx.process(part);
  if (buttonsOf(part) !== buttons) settling.set(part, performance.now());
  if (hadFocus && !part.contains(document.activeElement)) takeFocus(part);
}

function takeFocus(part) {
  part.tabIndex = -1;
  part.focus({ preventScroll: true });
}

/** Without the blanks between items: idiomorph would take one for another, and move what a reader has selected. */
function tighten(part) {
  for (const list of new Set([...part.querySelectorAll(ITEMS)].map((item) => item.parentElement))) {
    for (const node of [...list.childNodes]) {
      if (node.nodeType === Node.TEXT_NODE && node.data.trim() === "") node.remove();
    }
  }
}

function buttonsOf(part) {
  return [...part.querySelectorAll("button, a.btn")].map(({ textContent }) => textContent.trim()).join("\n");
}

document.addEventListener(
  "click",
  (event) => {
    const part = event.target.closest("[data-live-part]");
    const button = event.target.closest("button, a.btn");
    if (!part || !button || performance.now() - (settling.get(part) ?? -SETTLING) >= SETTLING) return;
    event.preventDefault();
    event.stopPropagation();
  },
  { capture: true },
);

// What must not change under somebody's hands

function formsIn(element) {
  return element.matches("form") ? [element] : [...element.querySelectorAll("form")];
}

/** Somebody is at a field of it, or has filled one in, or is being told what is wrong with it. */
function isInHands(form) {
  const active = document.activeElement;
  const isAtField = form.contains(active) && active.matches("input, select, textarea");
  return isAtField || form.querySelector(".field-errors, .is-invalid") !== null || [...form.elements].some(isFilledIn);
}

function isFilledIn(field) {
  if (field instanceof HTMLSelectElement) {
    const given = [...field.options].map(({ defaultSelected }) => defaultSelected).lastIndexOf(true);
    return field.selectedIndex !== Math.max(given, 0);
  }
  if (field.type === "hidden" || field instanceof HTMLButtonElement || !("defaultValue" in field)) return false;
  return field.value !== field.defaultValue || field.checked !== field.defaultChecked;
}

function mustWait(part, next, isAsked) {
  if (pressed && part.contains(pressed)) return true;
  if (part.querySelector("details.menu[open]")) return true;
  if (part.dataset.livePart !== "rows" || isAsked || !changes(part, next)) return false;
  const isPointedAt = matchMedia("(hover: hover)").matches && part.matches(":hover");
  const isTouched = performance.now() - touchedAt < TOUCHING;
  const active = document.activeElement;
  return isPointedAt || isTouched || (active !== part && part.contains(active));
}

/** How many rows differ, where any comes, goes or changes places; else 0, and all may change where they stand. */
function changes(part, next) {
  const [before, after] = [rowsOf(part), rowsOf(next)];
  if ([...before.keys()].join() === [...after.keys()].join()) return 0;
  const ids = new Set([...before.keys(), ...after.keys()]);
  return [...ids].filter((id) => before.get(id) !== after.get(id)).length || 1;
}

function rowsOf(part) {
  return new Map([...part.querySelectorAll("[data-seq]")].map((row) => [row.id, row.dataset.seq]));
}

function offer() {
  for (const bar of document.querySelectorAll("[data-live-held]")) {
    const id = bar.dataset.liveHeld;
    const count = held.has(id) ? changes(document.getElementById(id), held.get(id)) : 0;
    if (count && bar.hidden) say(ngettext("{n} change in the list", "{n} changes in the list", count));
    bar.hidden = count === 0;
    bar.querySelector("span").textContent = ngettext("{n} change, show", "{n} changes, show", count);
  }
}

document.addEventListener("click", (event) => {
  const bar = event.target.closest("[data-live-held]");
  if (!bar) return;
  settle((id) => id === bar.dataset.liveHeld);
  takeFocus(document.getElementById(bar.dataset.liveHeld)); // the button is no longer there
});

/** After a click has done what it does. */
function settleSoon(wait = 50) {
  setTimeout(() => held.size && settle(), wait);
}

document.addEventListener("pointerdown", ({ target }) => (pressed = target));
document.addEventListener("pointermove", ({ buttons }) => {
  if (!pressed || buttons) return;
  pressed = null; // it was let go where nothing is told of it
  settleSoon();
});
for (const name of ["pointerup", "pointercancel", "touchend", "touchcancel"]) {
  document.addEventListener(name, (event) => {
    if (name === "pointercancel" && event.pointerType === "touch") return; // it scrolls, and is still down
    pressed = null;
    settleSoon();
  });
}
for (const name of ["touchstart", "touchmove", "touchend"]) {
  document.addEventListener(name, () => (touchedAt = performance.now()), { passive: true });
}
document.addEventListener("touchend", () => settleSoon(TOUCHING + 50), { passive: true });
document.addEventListener("toggle", () => settleSoon(), { capture: true });
document.addEventListener("focusout", () => settleSoon());
document.addEventListener("mouseout", () => held.size && settleSoon());

// What is read stays where it is

/** A function that scrolls by as much as what is read, or typed in, has moved. */
function anchor() {
  const active = document.activeElement;
  const edge = edgeOfHead();
  const isInSight = (element) => {
    const { top, bottom } = element.getBoundingClientRect();
    return bottom > edge && top < innerHeight;
  };
  const isTypedIn = active.matches("input, textarea") && isInSight(active);
  const read = isTypedIn ? active : scrollY > 0 && [...document.querySelectorAll(READ)].find(isInSight);
  if (!read) return () => {};
  const { top } = read.getBoundingClientRect();
  return () => {
    if (read.isConnected) scrollBy({ top: read.getBoundingClientRect().top - top, behavior: "instant" });
  };
}

/** How far down what sticks to the top of the window covers the rest. */
function edgeOfHead() {
  const heads = [...document.querySelectorAll(".topbar, .incident-head")];
  const stuck = heads.filter((head) => getComputedStyle(head).position === "sticky");
  return Math.max(0, ...stuck.map((head) => head.getBoundingClientRect().bottom));
}

// What is new is seen and heard

function newsIn(container) {
  return [...container.querySelectorAll("[data-live-part] :is(.entry, [data-seq])[id]")];
}

function fade(element) {
  if (matchMedia("(prefers-reduced-motion: reduce)").matches) return;
  const cells = element.matches("tr") ? [...element.children] : [element.querySelector(".said")];
  for (const cell of cells) {
    const frames = { boxShadow: ["inset 0 0 0 100vmax var(--live-new)", "inset 0 0 0 100vmax transparent"] };
    cell.animate(frames, { duration: 2400, easing: "ease-out" });
  }
}

function announce(arrived) {
  const entries = arrived.filter((element) => element.matches(".entry")).length;
  const incidents = arrived.length - entries;
  if (entries) say(ngettext("{n} new entry", "{n} new entries", entries));
  else if (incidents) say(ngettext("{n} new incident", "{n} new incidents", incidents));
}

function say(words) {
  document.dispatchEvent(new CustomEvent("live:say", { detail: words }));
}
