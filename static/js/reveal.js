// A button beside each password that shows what was typed: <button type="button" data-reveal="id of the field">.

for (const button of document.querySelectorAll("[data-reveal]")) {
  const field = document.getElementById(button.dataset.reveal);
  button.hidden = false;
  button.addEventListener("click", () => {
    const shows = field.type === "password";
    field.type = shows ? "text" : "password";
    button.setAttribute("aria-pressed", String(shows));
    field.focus();
  });
  // A browser offers to keep what is in a field of this type, and nothing else does with what is shown.
  field.form.addEventListener("submit", () => {
    field.type = "password";
  });
}
