// Times in the zone of the reader's account, kept up to date. The server wrote them already, in the same zone;
// common/templatetags/burnline.py says the forms.

const MINUTE = 60;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

const language = document.documentElement.lang;
for (const field of document.querySelectorAll("[data-browser-time-zone]")) {
  field.value = new Intl.DateTimeFormat().resolvedOptions().timeZone ?? "";
}

const timeZone = known(document.documentElement.dataset.timeZone);
const clock = new Intl.DateTimeFormat(language, { timeZone, hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
const date = new Intl.DateTimeFormat(language, { timeZone, day: "numeric", month: "short", year: "numeric" });
const full = new Intl.DateTimeFormat(language, {
  timeZone,
  day: "numeric", month: "short", year: "numeric",
  hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23", timeZoneName: "short",
});

/** The zone, or undefined (the browser's own) where this browser does not know it. */
function known(name) {
  try {
    return name ? new Intl.DateTimeFormat(language, { timeZone: name }).resolvedOptions().timeZone : undefined;
  } catch {
    return undefined;
  }
}

/** Seconds as `1 h 12 m`, at most two units. */
function duration(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  if (whole < MINUTE) return gettext("{n} s", { n: whole });
  if (whole < HOUR) return gettext("{n} m", { n: Math.floor(whole / MINUTE) });
  if (whole < DAY) {
    const [hours, minutes] = [Math.floor(whole / HOUR), Math.floor((whole % HOUR) / MINUTE)];
    return minutes ? gettext("{hours} h {minutes} m", { hours, minutes }) : gettext("{hours} h", { hours });
  }
  const [days, hours] = [Math.floor(whole / DAY), Math.floor((whole % DAY) / HOUR)];
  return hours ? gettext("{days} d {hours} h", { days, hours }) : gettext("{days} d", { days });
}

function ago(at, seconds) {
  if (Math.abs(seconds) >= 7 * DAY) return date.format(at);
  const distance = { duration: duration(Math.abs(seconds)) };
  return seconds < 0 ? gettext("in {duration}", distance) : gettext("{duration} ago", distance);
}

const forms = {
  ago,
  since: (at, seconds) => duration(seconds),
  clock: (at) => clock.format(at),
  date: (at) => date.format(at),
  moment: (at) => `${date.format(at)}, ${clock.format(at)}`,
};

const utc = (at) => `${at.toISOString().slice(0, 19).replace("T", " ")} UTC`;
let isInUtc = false;

document.addEventListener("click", ({ target }) => {
  const button = target.closest("[data-times-in-utc]");
  if (!button) return;
  isInUtc = !isInUtc;
  button.setAttribute("aria-pressed", String(isInUtc));
  refresh(document);
});

function refresh(root) {
  const now = Date.now();
  for (const element of root.querySelectorAll("time[data-show]")) {
    const at = new Date(element.dateTime);
    const text = isInUtc ? utc(at) : forms[element.dataset.show](at, (now - at) / 1000);
    if (element.textContent !== text) element.textContent = text;
    element.title ||= element.dateTime;
    if (!element.dataset.zoned) {
      element.dataset.zoned = "yes";
      element.title = `${full.format(at)} · ${element.title}`;
    }
  }
}

refresh(document);
document.addEventListener("htmx:afterSwap", () => refresh(document));
document.addEventListener("live:refreshed", () => refresh(document));
document.addEventListener("visibilitychange", () => document.hidden || refresh(document));
setInterval(() => document.hidden || refresh(document), 15_000);
