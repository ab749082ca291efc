// A button that copies what stands in an element: <button data-copies="its id" hidden>. Where the browser lets nobody copy,
// the button stays away, and the text can be marked by hand.

function offer() {
  for (const button of document.querySelectorAll("[data-copies]")) button.hidden = !navigator.clipboard;
}

offer();
document.addEventListener("live:refreshed", offer);

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copies]");
  if (!button) return;
  const words = button.querySelector("span");
  try {
    await navigator.clipboard.writeText(document.getElementById(button.dataset.copies).textContent);
    words.textContent = gettext("Copied");
  } catch {
    words.textContent = gettext("Not allowed: mark it and copy");
  }
  document.dispatchEvent(new CustomEvent("live:say", { detail: words.textContent }));
});
