// A fault's line is marked in the text when its link is followed. Without this the number still says where.

const text = document.getElementById("document");

for (const link of document.querySelectorAll("[data-line]")) {
  link.addEventListener("click", (event) => {
    event.preventDefault();
    const lines = text.value.split("\n");
    const line = Number(link.dataset.line) - 1;
    const start = lines.slice(0, line).reduce((sum, one) => sum + one.length + 1, 0);
    text.focus();
    text.setSelectionRange(start, start + (lines[line] ?? "").length);
    text.scrollTop = (line - 5) * (text.scrollHeight / lines.length);
  });
}
