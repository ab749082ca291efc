// The bar above a field of Markdown: <div data-formats="id of the field"> with buttons data-format="bold". What is selected is
// marked, or freed of its marks; the browser's own undo takes it back. Ctrl or Cmd with B, I and K do the same in the field.

const AROUND = { bold: ["**", "**"], italic: ["_", "_"], code: ["`", "`"], link: ["[", "](https://)"] };
const BEFORE = { list: "- ", quote: "> " };
const KEYS = { b: "bold", i: "italic", k: "link" };

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-format]");
  if (button) format(document.getElementById(button.closest("[data-formats]").dataset.formats), button.dataset.format);
});

document.addEventListener("keydown", (event) => {
  const how = KEYS[event.key];
  if (!how || !(event.ctrlKey || event.metaKey) || event.altKey || event.shiftKey) return;
  if (!event.target.id || !document.querySelector(`[data-formats="${CSS.escape(event.target.id)}"]`)) return;
  event.preventDefault();
  format(event.target, how);
});

function format(field, how) {
  if (how in BEFORE) lines(field, BEFORE[how]);
  else if (how === "code" && selected(field).includes("\n")) around(field, "```\n", "\n```");
  else around(field, ...AROUND[how]);
}

function selected({ value, selectionStart, selectionEnd }) {
  return value.slice(selectionStart, selectionEnd);
}

function around(field, before, after) {
  const { value, selectionStart: from, selectionEnd: to } = field;
  const isMarked = value.slice(from - before.length, from) === before && value.slice(to, to + after.length) === after;
  if (isMarked) put(field, from - before.length, to + after.length, value.slice(from, to), 0, to - from);
  else put(field, from, to, before + value.slice(from, to) + after, before.length, before.length + to - from);
}

function lines(field, before) {
  const { value, selectionStart, selectionEnd } = field;
  const from = value.slice(0, selectionStart).lastIndexOf("\n") + 1;
  const end = value.indexOf("\n", selectionEnd);
  const to = end < 0 ? value.length : end;
  const all = value.slice(from, to).split("\n");
  const isMarked = all.every((line) => line.startsWith(before));
  const words = all.map((line) => (isMarked ? line.slice(before.length) : before + line)).join("\n");
  put(field, from, to, words, all.length > 1 ? 0 : words.length, words.length);
}

/** Put these words there, as if they had been typed, and select some of them. */
function put(field, from, to, words, start, end) {
  field.focus();
  field.setSelectionRange(from, to);
  if (!document.execCommand(words ? "insertText" : "delete", false, words)) {
    field.setRangeText(words);
    field.dispatchEvent(new Event("input", { bubbles: true }));
  }
  field.setSelectionRange(from + start, from + end);
}
