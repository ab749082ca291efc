// How a page hears that something has changed: by one event stream per browser, held by one of its visible tabs and
// passed on to the others, or by asking for a version now and then. It says what it heard (`live:moved`) and how well
// it hears (`live:state`). live-parts.js brings the page up to date, live-light.js tells the reader.
//
// Browsers open six connections to a host over HTTP/1.1, so that a stream in each tab would stop the seventh. The tabs
// agree by a Web Lock, as Chrome on Android has no SharedWorker. Locks need a secure context: over plain http to
// another machine each visible tab has a stream of its own. It is read by fetch and not by EventSource, which tells
// neither the status of a refusal nor the pings by which a connection that died without a word is noticed.

const SECOND = 1000;
const GRACE = 3 * SECOND; // what is mended within it is not worth a word
const ANSWER = 10 * SECOND; // until the first event: a proxy that hoards would keep it back for ever
const SILENCE = 40 * SECOND; // the server pings every 15 s
const STEADY = 30 * SECOND; // a stream that is cut before has failed
const FAILURES = 3; // in a row, then the page asks instead
const LONGEST_PAUSE = 30 * SECOND;

const { live: mode, reader } = document.documentElement.dataset;
const page = document.body.dataset; // liveIncident and liveVersion, which live-parts.js keeps true
const polls = mode === "poll";
const ASK_EVERY = polls ? 5 * SECOND : 20 * SECOND;
const POLLING = { name: "polling", seconds: ASK_EVERY / SECOND };
const NAME = `burnline-live-${reader}`;
const BROKEN = ["AbortError", "TimeoutError", "TypeError", "SyntaxError"]; // no answer, or half of one

const others = new BroadcastChannel(NAME);
let turn = null; // aborted when this tab is hidden, or nobody is signed in any more
let stream = null; // where this tab holds it: { failures, isUp, nudge }
let state = null;
let cursor = ""; // of the last event, whichever tab heard it
let heardAt = Date.now(); // anything, from the server
let known = { version: "", etag: "" };
let asking = null;

if (mode && document.querySelector("[data-live-part]")) {
  others.addEventListener("message", ({ data }) => document.hidden || hear(data));
  document.addEventListener("visibilitychange", () => (document.hidden ? rest() : wake()));
  document.addEventListener("live:refused", ask);
  addEventListener("online", () => stream?.nudge());
  setInterval(askAgain, ASK_EVERY);
  if (!document.hidden) wake();
}

function wake() {
  rest();
  const isBack = state !== null;
  state = null;
  turn = new AbortController();
  if (polls || isBack) ask(); // what has happened meanwhile
  if (polls) return;
  others.postMessage({ question: true });
  listenInTurn(turn.signal);
}

function rest() {
  turn?.abort();
  turn = null;
}

/** Nobody is signed in here: nothing more is asked until somebody is, or the reader comes back to this tab. */
function end() {
  rest();
  become({ name: "signed-out" });
  others.postMessage({ doubt: true });
}

function tell(message) {
  others.postMessage(message);
  hear(message);
}

function hear(message) {
  cursor = message.cursor ?? cursor;
  if (message.question && stream && state) others.postMessage({ state });
  if (message.doubt && turn) ask();
  if (message.moved) emit("live:moved", message.moved);
  if (!message.state) return;
  if (state?.name === "signed-out") wake(); // somebody has signed in, in another tab
  const isNews = message.state.name !== state?.name;
  become(message.state);
  // What happened while nobody listened, or not yet this tab, comes with no event.
  if (state.name === "live" && (isNews || message.begins)) ask();
}

function become(next) {
  state = next;
  emit("live:state", state);
}

function emit(name, detail) {
  document.dispatchEvent(new CustomEvent(name, { detail }));
}

// The stream

async function listenInTurn(signal) {
  if (!navigator.locks) return listen(signal);
  try {
    await navigator.locks.request(NAME, { signal }, () => listen(signal));
  } catch (error) {
    if (error.name !== "AbortError") throw error; // hidden before its turn had come
  }
}

/** Hold the stream until the tab is hidden, again and again where it breaks. */
async function listen(signal) {
  const own = { failures: 0, isUp: false, nudge: () => {} };
  const late = () => own.isUp || signal.aborted || state?.name === "polling" || lose();
  stream = own;
  let alarm = setTimeout(late, GRACE);
  while (!signal.aborted) {
    const begun = Date.now();
    const ended = await streamed(own, signal);
    if (own.isUp) {
      own.isUp = false;
      clearTimeout(alarm);
      alarm = setTimeout(late, GRACE);
    }
    if (signal.aborted) break;
    const hasFailed = ended !== "bye" && Date.now() - begun < STEADY;
    own.failures = hasFailed ? own.failures + 1 : 0;
    if (ended === "gone" || own.failures >= FAILURES) {
      const isReached = await ask();
      if (signal.aborted) break;
      if (!isReached) lose();
      else if (own.failures >= FAILURES) tell({ state: POLLING });
    }
    const longest = Math.min(SECOND * 2 ** own.failures, LONGEST_PAUSE);
    await pause(own, longest * (0.5 + Math.random() / 2), signal);
  }
  clearTimeout(alarm);
  if (stream === own) stream = null;
}

/** Read one stream to its end: "bye", "gone" where the session is, else "cut". */
async function streamed(own, signal) {
  const stop = new AbortController();
  const abort = () => stop.abort();
  signal.addEventListener("abort", abort);
  let watch = setTimeout(abort, ANSWER);
  try {
    const headers = { Accept: "text/event-stream", ...(cursor && { "Last-Event-ID": cursor }) };
    const answer = await fetch("/live/", { headers, redirect: "manual", cache: "no-store", signal: stop.signal });
    if (isRefusal(answer)) return "gone";
    if (answer.status >= 400) cursor = ""; // it may be what is refused
    if (!answer.ok || !answer.headers.get("Content-Type")?.startsWith("text/event-stream")) return "cut";
    for await (const event of events(answer.body)) {
      clearTimeout(watch);
      watch = setTimeout(abort, SILENCE);
      heardAt = Date.now();
      if (event.id) cursor = event.id;
      if (event.name === "ready") {
        own.isUp = true;
        tell({ state: { name: "live" }, begins: true, cursor: event.data.cursor ?? cursor });
      } else if (event.name === "changed") tell({ moved: event.data, cursor });
      else if (event.name) return event.name;
    }
  } catch (error) {
    if (!BROKEN.includes(error.name)) throw error;
  } finally {
    clearTimeout(watch);
    signal.removeEventListener("abort", abort);
    stop.abort();
  }
  return "cut";
}

/** What a stream of server-sent events says: { name, id, data }; a ping has no name. */
async function* events(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let begun = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const blocks = (begun + value).replaceAll("\r\n", "\n").split("\n\n");
    begun = blocks.pop();
    for (const block of blocks) {
      const fields = Object.fromEntries([...block.matchAll(/^(\w+): ?(.*)$/gm)].map(([, name, text]) => [name, text]));
      yield { name: fields.event, id: fields.id, data: JSON.parse(fields.data ?? "{}") };
    }
  }
}

function lose() {
  tell({ state: { name: "lost", since: heardAt } });
}

function pause(own, milliseconds, signal) {
  return new Promise((done) => {
    setTimeout(done, milliseconds);
    own.nudge = done;
    signal.addEventListener("abort", done, { once: true });
  });
}

// Asking

async function askAgain() {
  if (!turn || state?.name === "live") return;
  const isReached = await ask();
  if (!stream || stream.isUp || !turn) return;
  if (!isReached) lose();
  else if (state?.name === "lost") stream.nudge(); // the server is back, so may its stream be
}

/** Whether the server answers. Where its version is not the page's, something has moved. */
function ask() {
  asking ??= question().finally(() => (asking = null));
  return asking;
}

async function question() {
  const which = page.liveIncident ? `?incident=${page.liveIncident}` : "";
  const headers = known.etag ? { "If-None-Match": known.etag } : {};
  const signal = AbortSignal.timeout(ANSWER);
  try {
    const answer = await fetch(`/live/version/${which}`, { headers, redirect: "manual", cache: "no-store", signal });
    if (isRefusal(answer)) {
      end();
      return false;
    }
    if (answer.status >= 500) throw new TypeError(`The server answered ${answer.status}.`);
    if (answer.ok) known = { version: (await answer.json()).version, etag: answer.headers.get("ETag") };
    if (answer.status === 404 || known.version !== page.liveVersion) emit("live:moved", null);
  } catch (error) {
    if (!BROKEN.includes(error.name)) throw error;
    if (polls && turn) become({ name: "lost", since: heardAt });
    return false;
  }
  heardAt = Date.now();
  if (polls && turn) become(POLLING);
  return true;
}

function isRefusal(answer) {
  return answer.type === "opaqueredirect" || answer.status === 401 || answer.status === 403;
}
