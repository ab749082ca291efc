// The scheme changes as soon as it is chosen; the server keeps it. Without this the form reloads the page.

for (const form of document.querySelectorAll("form[data-theme-choice]")) {
  form.addEventListener("submit", (event) => {
    const { value } = event.submitter;
    event.preventDefault();
    show(value);
    const choice = new FormData(form);
    choice.set("theme", value);
    fetch(form.action, { method: "POST", body: choice, redirect: "manual" }).catch(() => form.requestSubmit);
  });
}

function show(theme) {
  const root = document.documentElement;
  if (theme === "system") delete root.dataset.bsTheme;
  else root.dataset.bsTheme = theme;
  for (const button of document.querySelectorAll("[data-theme-choice] [name=theme]")) {
    button.setAttribute("aria-pressed", String(button.value === theme));
  }
}
