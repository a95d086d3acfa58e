// After an act the page is made anew: the focus goes back to where it was, or to what stands there now.

const KEY = "heng-focus";
const FRESH_MS = 60_000;
const NEAR = 10; // so many neighbours are tried when a row is gone
const ROW = "tr[id], li[id], article[id], details[id]";
const FOCUSABLE = "a[href], button, input:not([type=hidden]), select, textarea, summary, [tabindex]";

function focusable(within) {
  return [...within.querySelectorAll(FOCUSABLE)];
}

/** Where an element stands: its id, the nearest thing around it that has one, its place in there, the neighbours. */
function place(element) {
  const around = element.matches(ROW) ? element : element.parentElement?.closest("[id]") ?? document.body;
  const ids = (direction) => {
    const found = [];
    for (let one = around[direction]; one && found.length < NEAR; one = one[direction]) if (one.id) found.push(one.id);
    return found;
  };
  const beside = around.matches(ROW) ? [...ids("nextElementSibling"), ...ids("previousElementSibling")] : [];
  return { path: location.pathname, at: Date.now(), id: element.id, around: around.id, nth: focusable(around).indexOf(element), beside };
}

function usable(element) {
  return element && !element.disabled && element.getClientRects().length > 0;
}

/** What is to have the focus now; nothing where the page is another one. */
function target({ id, around, nth, beside }) {
  const same = id && document.getElementById(id);
  if (usable(same)) return same;
  for (const [turn, name] of [around, ...beside].entries()) {
    const box = name && document.getElementById(name);
    if (!box) continue;
    const all = focusable(box);
    const first = turn === 0 && nth >= 0 ? all.slice(nth) : [];
    const found = [...first, ...(box.matches(FOCUSABLE) ? [box] : []), ...all].find(usable);
    if (found) return found;
  }
  return document.getElementById("main");
}

document.addEventListener("submit", ({ target: form, submitter }) => {
  const active = document.activeElement;
  const element = form.contains(active) || (active !== document.body && active.contains(form)) ? active : submitter;
  if (element) sessionStorage.setItem(KEY, JSON.stringify(place(element)));
});

const kept = JSON.parse(sessionStorage.getItem(KEY) ?? "null");
sessionStorage.removeItem(KEY);
if (kept && kept.path === location.pathname && Date.now() - kept.at < FRESH_MS) target(kept)?.focus();
