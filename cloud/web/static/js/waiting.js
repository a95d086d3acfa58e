// A form whose answer takes a while says so on its button, and is not sent twice.

for (const form of document.querySelectorAll("form")) {
  const button = form.querySelector("button[data-busy-word]");
  if (!button) continue;
  const word = button.textContent;
  form.addEventListener("submit", () => {
    form.setAttribute("aria-busy", "true");
    button.disabled = true;
    button.textContent = button.dataset.busyWord;
  });
  // The page may be shown again as it was left, from the browser's memory.
  window.addEventListener("pageshow", () => {
    form.removeAttribute("aria-busy");
    button.disabled = false;
    button.textContent = word;
  });
}
