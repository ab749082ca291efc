// Light or dark, set before the first paint: the reader's choice, else the system's. Loaded in <head>, not deferred.
(() => {
  const KEY = "burnline-scheme";
  const system = matchMedia("(prefers-color-scheme: dark)");

  function chosen() {
    try {
      return localStorage.getItem(KEY) || "system";
    } catch {
      return "system"; // storage is forbidden here
    }
  }

  function apply() {
    const choice = chosen();
    document.documentElement.dataset.bsTheme = choice === "system" ? (system.matches ? "dark" : "light") : choice;
    for (const button of document.querySelectorAll("[data-scheme]")) {
      button.setAttribute("aria-pressed", String(button.dataset.scheme === choice));
    }
  }

  apply();
  system.addEventListener("change", apply);
  addEventListener("storage", apply); // another tab chose
  addEventListener("DOMContentLoaded", apply);
  addEventListener("click", (event) => {
    const button = event.target.closest("[data-scheme]");
    if (!button) return;
    try {
      localStorage.setItem(KEY, button.dataset.scheme);
    } catch {
      return; // nowhere to keep the choice
    }
    apply();
  });
})();
