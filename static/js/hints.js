// What is said on hover, for fingers: a tap on a moment or on what is unknown shows its title; the next tap takes it away.
// By keyboard, t writes every moment in UTC (times.js), and a reason is read with the dash.

const hint = Object.assign(document.createElement("div"), { className: "hint", popover: "auto" });
hint.setAttribute("role", "status");
document.body.append(hint);

document.addEventListener("click", ({ target }) => {
  const told = target.closest("time[title], .unknown[title]");
  if (!told || target.closest("a, button, summary, label") || getSelection().toString()) return;
  hint.textContent = told.title;
  hint.showPopover();
  const { left, bottom } = told.getBoundingClientRect();
  hint.style.left = `${Math.max(8, Math.min(left, innerWidth - hint.offsetWidth - 8))}px`;
  hint.style.top = `${Math.min(bottom + 6, innerHeight - hint.offsetHeight - 8)}px`;
});
addEventListener("scroll", () => hint.matches(":popover-open") && hint.hidePopover(), { passive: true });
