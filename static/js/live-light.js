// The quiet light that says whether this page hears of changes: in the rail, in the top bar of a phone, and to a screen
// reader where it turns. Without a script, and on pages where nothing is live, there is none.

const PATIENCE = 3000; // until "Connecting" is worth saying

const root = document.documentElement;
const lights = document.querySelectorAll("[data-live-light]");
const voice = document.getElementById("live-voice");
let shown = "";

document.addEventListener("live:state", ({ detail }) => show(detail));
document.addEventListener("live:say", ({ detail }) => say(detail));
if (document.querySelector("[data-live-part]")) {
  root.dataset.liveState = "connecting";
  setTimeout(() => shown || show({ name: "connecting" }), PATIENCE);
}

const words = {
  connecting: () => [gettext("Connecting")],
  live: () => [gettext("Live")],
  polling: ({ seconds }) => [gettext("Live every {seconds} s", { seconds })],
  lost: ({ since }) => around(gettext("Not live since {moment}, retrying"), clock(since)),
  "signed-out": () => [gettext("Signed out."), " ", way(gettext("Sign in"))],
};

function show(state) {
  for (const light of lights) {
    light.hidden = false;
    light.querySelector("[data-live-words]").replaceChildren(...words[state.name](state));
  }
  root.dataset.liveState = state.name;
  document.dispatchEvent(new CustomEvent("live:refreshed")); // times.js puts the moment into the reader's zone
  const isSettled = shown === "" || shown === "connecting";
  if (shown !== state.name && !(isSettled && ["live", "polling", "connecting"].includes(state.name))) {
    say(lights[0].querySelector("[data-live-words]").textContent);
  }
  shown = state.name;
}

/** The words with an element in the place of {moment}. */
function around(words, element) {
  const [before, after] = words.split("{moment}");
  return [before, element, after];
}

function clock(moment) {
  const time = document.createElement("time");
  time.dateTime = new Date(moment).toISOString();
  time.dataset.show = "clock";
  return time;
}

function way(text) {
  const link = document.createElement("a");
  link.href = `${lights[0].dataset.signIn}?next=${encodeURIComponent(location.pathname + location.search)}`;
  link.textContent = text;
  return link;
}

/** Let a screen reader speak it, also where the same was said before. */
function say(text) {
  voice.textContent = "";
  setTimeout(() => (voice.textContent = text), 100);
}
