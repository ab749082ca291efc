// What just worked is said in a corner, and goes by itself: not while it is pointed at or holds the focus, not while the
// page is hidden, and only for who moves a pointer or taps. Who reads by keyboard or ear may need longer, so there it stays.

const STAYS = 6000;
const WITH_UNDO = 20_000;

for (const toast of document.querySelectorAll(".messages .passing")) last(toast);
const spoken = [...document.querySelectorAll(".messages .passing .text")].map(({ textContent }) => textContent.trim());
if (spoken.length) document.dispatchEvent(new CustomEvent("live:say", { detail: spoken.join(" ") }));

function last(toast) {
  let left = toast.querySelector("form") ? WITH_UNDO : STAYS;
  let seen = performance.now();
  let hasPointer = false;
  for (const sign of ["pointermove", "pointerdown"]) {
    document.addEventListener(sign, () => (hasPointer = true), { passive: true });
  }
  document.addEventListener("keydown", ({ key }) => key === "Tab" && (hasPointer = false));
  const tick = setInterval(() => {
    const now = performance.now();
    const waits = document.hidden || !hasPointer || toast.matches(":hover") || toast.contains(document.activeElement);
    if (!waits) left -= now - seen;
    seen = now;
    if (!toast.isConnected || left <= 0) {
      clearInterval(tick);
      toast.remove();
    }
  }, 500);
}
