// What is shown once, kept: as a file (data-keep names it) or in the clipboard (data-copy). data-text is the text, in JSON.

for (const button of document.querySelectorAll("[data-keep]")) {
  button.hidden = false;
  button.addEventListener("click", () => {
    const url = URL.createObjectURL(new Blob([JSON.parse(button.dataset.text)], { type: "text/plain" }));
    const link = Object.assign(document.createElement("a"), { href: url, download: button.dataset.keep });
    link.click();
    URL.revokeObjectURL(url);
  });
}

for (const button of document.querySelectorAll("[data-copy]")) {
  button.hidden = !navigator.clipboard;
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(JSON.parse(button.dataset.text));
    button.classList.add("active");
  });
}
