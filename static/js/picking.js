// Rows that are picked: all of the page, a range with Shift, and how many. Without it the boxes and the form still work.

const boxes = () => [...document.querySelectorAll("[data-pick]")];
let last = null; // the row that was picked or left before, where a range begins

document.addEventListener("click", (event) => {
  const box = event.target.closest("[data-pick]");
  if (!box) return;
  const all = boxes();
  const [from, to] = [all.indexOf(document.getElementById(last)?.querySelector("[data-pick]")), all.indexOf(box)];
  if (event.shiftKey && from >= 0) {
    for (const each of all.slice(Math.min(from, to), Math.max(from, to) + 1)) each.checked = box.checked;
  }
  last = box.closest("tr").id;
  count();
});

document.addEventListener("change", (event) => {
  if (event.target.matches("[data-pick-all]")) pickAll(event.target.checked);
  else if (event.target.matches("[data-pick]")) count();
});

document.addEventListener("reset", (event) => {
  if (event.target.matches("#bulk")) setTimeout(count);
});

document.addEventListener("live:refreshed", count);
addEventListener("pageshow", count); // the way back keeps what was picked

function pickAll(isOn) {
  for (const box of boxes()) box.checked = isOn;
  count();
}

function count() {
  const all = boxes();
  const picked = all.filter(({ checked }) => checked).length;
  const head = document.querySelector("[data-pick-all]");
  if (head) {
    head.checked = picked > 0 && picked === all.length;
    head.indeterminate = picked > 0 && picked < all.length;
  }
  const words = document.querySelector("[data-picked]");
  if (words) words.textContent = picked ? `${words.dataset.none}: ${picked}` : words.dataset.none;
}
