// Keeps the list of alarms fresh, and works it by keyboard: J and K go down and up, A acknowledges, C comments,
// S shelves. The list is not exchanged while somebody writes in it; the row that has the focus keeps it.

const EVERY_MS = 2_000;

function rows() {
  return [...document.querySelectorAll(".alarm")];
}

function busy(shown) {
  const inside = document.activeElement;
  const writes = shown.contains(inside) && !inside.classList.contains("alarm");
  return writes || shown.querySelector(".alarm-acts details[open]") !== null;
}

async function refresh() {
  const shown = document.getElementById("fresh");
  if (document.hidden || busy(shown)) return;
  const answer = await fetch(shown.dataset.source).catch(() => null);
  if (!answer?.ok || answer.redirected) return;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const fresh = page.getElementById("fresh");
  for (const one of shown.querySelectorAll(".alarm-times[open]")) {
    const same = fresh?.querySelector(`#${one.closest(".alarm").id} .alarm-times`);
    if (same) same.open = true;
  }
  if (!fresh || fresh.isEqualNode(shown) || busy(shown)) return;
  const held = document.activeElement?.classList.contains("alarm") ? document.activeElement.id : null;
  shown.replaceWith(document.adoptNode(fresh));
  if (held) (document.getElementById(held) ?? rows()[0])?.focus();
}

function move(step) {
  const all = rows();
  const at = all.indexOf(document.activeElement?.closest(".alarm"));
  all[Math.min(Math.max(at + step, 0), all.length - 1)]?.focus();
}

function open(row, field) {
  const more = row.querySelector(".alarm-acts details");
  if (!more) return;
  more.open = true;
  more.querySelector(field)?.focus();
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, select, textarea")) return;
  const row = document.activeElement?.closest(".alarm");
  const key = event.key.toLowerCase();
  if (key === "j") move(1);
  else if (key === "k") move(-1);
  else if (row && key === "a") row.querySelector("button[value=acknowledge]")?.click();
  else if (row && key === "c") open(row, "input[name=text]");
  else if (row && key === "s") open(row, "select[name=minutes]");
  else return;
  event.preventDefault();
});

setInterval(refresh, EVERY_MS);
