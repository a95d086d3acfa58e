// Keeps pages of interlocks, commands and jobs live: when the hub says that something is new, the page is asked
// for again and its parts are exchanged. Nobody loses what they typed or where they are. Countdowns run here.

import { hubNow } from "/static/js/live.js";

const ASK_MS = 5_000; // asked so often even when nothing is heard
const STALE_MS = 30_000; // a state that is older is not known
const shown = document.querySelector("[data-parts]");
let asking = false;
let again = false;
let askedAt = Date.now();

/** Ask for the page; of several wishes at once the last is answered by one more question. */
async function refresh() {
  if (!shown || document.hidden) return;
  if (asking) { again = true; return; }
  asking = true;
  askedAt = Date.now();
  const answer = await fetch(shown.dataset.parts).catch(() => null);
  if (answer?.ok) take(new DOMParser().parseFromString(await answer.text(), "text/html"));
  asking = false;
  if (again) { again = false; refresh(); }
}

function take(page) {
  for (const part of document.querySelectorAll("[data-part]")) {
    const fresh = page.querySelector(`[data-part="${part.dataset.part}"]`);
    const keys = part.querySelectorAll("input[name=key]"); // of this page: only who opens it anew gets another one
    fresh?.querySelectorAll("input[name=key]").forEach((one, place) => one.setAttribute("value", keys[place]?.value ?? one.value));
    if (fresh && fresh.innerHTML !== part.innerHTML) exchange(part, document.adoptNode(fresh));
  }
  tick();
}

/** Put a part in the place of another one, with what was typed, the focus and the selection kept. */
function exchange(part, fresh) {
  const focus = part.contains(document.activeElement) ? document.activeElement : null;
  for (const field of part.querySelectorAll("input[id], select[id], textarea[id]")) {
    const same = fresh.querySelector(`#${CSS.escape(field.id)}`);
    if (same) same.value = field.value;
  }
  for (const open of part.querySelectorAll("details[id][open]")) {
    const same = fresh.querySelector(`#${CSS.escape(open.id)}`);
    if (same) same.open = true;
  }
  const place = focus && [focus.id, focus.selectionStart, focus.selectionEnd];
  part.replaceWith(fresh);
  if (!place?.[0]) return;
  const target = document.getElementById(place[0]);
  target?.focus();
  if (target?.setSelectionRange && place[1] !== null && target.type !== "number") target.setSelectionRange(place[1], place[2]);
}

function tick() {
  const now = hubNow();
  for (const element of document.querySelectorAll("[data-ends]")) {
    const left = Math.max(0, Math.ceil((Number(element.dataset.ends) - now) / 1000));
    const text = `${Math.floor(left / 60)}:${String(left % 60).padStart(2, "0")}`;
    if (element.textContent !== text) element.textContent = text;
  }
  const old = [...document.querySelectorAll("[data-part] [data-at]")].some((one) => now - Number(one.dataset.at) > STALE_MS);
  if (Date.now() - askedAt > (old ? ASK_MS / 5 : ASK_MS)) refresh();
}

if (shown?.dataset.on) document.addEventListener(`heng:${shown.dataset.on}`, refresh);
else document.addEventListener("heng:control", ({ detail }) => {
  const gateway = shown?.dataset.gateway;
  if (!gateway || detail.includes(gateway)) refresh();
});
setInterval(tick, 1000);
tick();
