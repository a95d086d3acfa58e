// One camera's page: stretches are chosen on the line, from the list or by hand, asked for, and played.

import { hubNow } from "./live.js";
import { refresh, refusal } from "./cameras.js";

const form = document.getElementById("ask");
const words = JSON.parse(form.dataset.words);
const zone = form.dataset.zone;
const most = Number(form.dataset.maxS) * 1000;
const box = document.querySelector(".line-box");
const [lineFrom, lineTo] = [Number(box.dataset.from), Number(box.dataset.to)];
const selection = box.querySelector(".selection rect");
const lineSaid = document.querySelector(".line-said");
const askSaid = form.querySelector(".ask-said");
const player = document.getElementById("player");
const video = player.querySelector("video");
const DRAG_PX = 4;

const clock = new Intl.DateTimeFormat("sv-SE", {
  timeZone: zone, year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23",
});

/** A moment as an input of the site's time zone has it. */
function local(ms) {
  return clock.format(new Date(ms)).replace(" ", "T");
}

/** The moment that an input of the site's time zone means; NaN for none. */
function moment(text) {
  const wanted = Date.parse(`${text.length === 16 ? `${text}:00` : text}Z`);
  if (Number.isNaN(wanted)) return NaN;
  let guess = wanted;
  for (let i = 0; i < 3; i += 1) guess += wanted - Date.parse(`${local(guess)}Z`);
  return guess;
}

// --- choosing ---

/** Put a stretch into the form; of a longer one the newest part. */
function choose(from, to) {
  const end = Math.floor(Math.min(to, hubNow()) / 1000) * 1000;
  const start = Math.max(Math.ceil(from / 1000) * 1000, end - most);
  form.elements.from.value = local(start);
  form.elements.to.value = local(Math.max(end, start + 1000));
  showChosen();
  askSaid.textContent = words.chosen.replace("%(from)s", form.elements.from.value.replace("T", " ")).replace("%(to)s", form.elements.to.value.replace("T", " "));
}

function showChosen() {
  const [from, to] = [moment(form.elements.from.value), moment(form.elements.to.value)];
  const place = (ms) => Math.min(100, Math.max(0, ((ms - lineFrom) / (lineTo - lineFrom)) * 100));
  const width = from < to ? place(to) - place(from) : 0;
  selection.setAttribute("x", `${place(from) || 0}%`);
  selection.setAttribute("width", `${width && Math.max(width, 0.2)}%`);
}

function momentAt(event) {
  const frame = box.getBoundingClientRect();
  return lineFrom + Math.min(1, Math.max(0, (event.clientX - frame.left) / frame.width)) * (lineTo - lineFrom);
}

let dragFrom = null;
box.addEventListener("pointerdown", (event) => {
  if (event.button !== 0) return;
  dragFrom = { x: event.clientX, at: momentAt(event) };
});
addEventListener("pointercancel", () => { dragFrom = null; });
addEventListener("pointerup", (event) => {
  if (!dragFrom) return;
  const began = dragFrom;
  dragFrom = null;
  const at = momentAt(event);
  if (Math.abs(event.clientX - began.x) > DRAG_PX) {
    choose(Math.min(began.at, at), Math.max(began.at, at));
    return;
  }
  const touched = document.elementFromPoint(event.clientX, event.clientY)?.closest("[data-picture], .bar[data-from]");
  if (!touched || !box.contains(touched)) return;
  lineSaid.textContent = touched.querySelector("title").textContent;
  if (touched.dataset.picture !== undefined) showPicture(touched.dataset.picture);
  else if (touched.matches(".recorded, .here")) {
    const [low, high] = [Number(touched.dataset.from), Number(touched.dataset.to)];
    const half = Math.min(most, (lineTo - lineFrom) / 60) / 2;
    choose(Math.max(low, at - half), Math.min(high, at + half));
  }
});
box.addEventListener("pointermove", (event) => {
  if (!dragFrom || Math.abs(event.clientX - dragFrom.x) <= DRAG_PX) return;
  const at = momentAt(event);
  choose(Math.min(dragFrom.at, at), Math.max(dragFrom.at, at));
});

function showPicture(index) {
  const card = document.getElementById(`picture-${index}`);
  if (!card) return;
  const fold = card.closest("details");
  if (fold) fold.open = true;
  document.querySelector(".card.chosen")?.classList.remove("chosen");
  card.classList.add("chosen");
  card.scrollIntoView({ block: "nearest", inline: "center" });
}

document.addEventListener("click", ({ target }) => {
  const chosen = target.closest("[data-choose]");
  if (chosen) {
    choose(Number(chosen.dataset.from), Number(chosen.dataset.to));
    form.scrollIntoView({ block: "nearest" });
    form.querySelector("button").focus({ preventScroll: true });
  }
});
form.addEventListener("input", showChosen);
document.addEventListener("heng:parts", showChosen);
showChosen();

// --- asking ---

function fault(from, to) {
  if (Number.isNaN(from) || Number.isNaN(to)) return words.empty;
  if (to <= from) return words.order;
  if (to - from > most) return words.long;
  return to > hubNow() ? words.future : "";
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const [from, to] = [moment(form.elements.from.value), moment(form.elements.to.value)];
  const wrong = fault(from, to);
  askSaid.classList.toggle("wrong", Boolean(wrong));
  askSaid.removeAttribute("lang");
  askSaid.textContent = wrong;
  if (wrong) return;
  const answer = await fetch(`/api/cameras/${form.dataset.camera}/recordings/wanted`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ from: new Date(from).toISOString(), to: new Date(to).toISOString() }),
  }).catch(() => null);
  if (answer?.ok) {
    if (to <= lineFrom || from >= lineTo) {
      const range = new URLSearchParams({ from: local(from - most).slice(0, 16), to: local(to + most).slice(0, 16) });
      location.assign(`?${range}#recordings`);
      return;
    }
    askSaid.textContent = words.asked;
    refresh();
    return;
  }
  const why = answer ? await refusal(answer, words) : { text: words.lost };
  askSaid.classList.add("wrong");
  askSaid.textContent = why.text;
  if (why.lang) askSaid.lang = why.lang;
});

// --- playing ---

document.addEventListener("click", ({ target }) => {
  const play = target.closest("[data-play]");
  if (play) {
    player.hidden = false;
    player.querySelector("h3").textContent = play.dataset.title;
    player.querySelector(".player-said").textContent = "";
    video.hidden = false;
    video.src = `/api/media/${play.dataset.play}/video`;
    player.querySelector("h3").focus();
    video.play().catch(() => {});
  } else if (target.closest("[data-close]")) {
    video.removeAttribute("src");
    video.load();
    player.hidden = true;
    form.querySelector("button").focus();
  }
});
video.addEventListener("error", () => {
  if (!video.hasAttribute("src")) return;
  video.hidden = true;
  player.querySelector(".player-said").textContent = words.no_video;
});
