// Live views of cameras, and what keeps the rest of their pages fresh.
// Frames are read from the hub's MJPEG answer and drawn, so that the page knows when none comes any more and why a
// view cannot be had; an `img` would tell neither. Nothing of it is kept.

import { duration } from "./live.js";

const EVERY_MS = 10_000;
const WAITING_MS = 2_500; // while a recording is on its way
const STALLED_MS = 4_000;
const DRIED_MS = 12_000;
const box = document.getElementById("parts");
const words = JSON.parse(box.dataset.liveWords);
const most = Number(box.dataset.liveMax);
const views = new Map(); // element of a camera -> its running view

/** Take JPEG frames out of the pieces of a multipart answer. */
class Frames {
  constructor() {
    this.held = new Uint8Array(0);
  }

  /** Return the frames that are complete with this piece; each has its length in its head. */
  add(piece) {
    const joined = new Uint8Array(this.held.length + piece.length);
    joined.set(this.held);
    joined.set(piece, this.held.length);
    let rest = joined;
    const frames = [];
    for (;;) {
      const head = headEnd(rest);
      if (head < 0) break;
      const length = /content-length: *(\d+)/i.exec(new TextDecoder("latin1").decode(rest.subarray(0, head)));
      if (!length) throw new Error("a part without its length");
      const end = head + 4 + Number(length[1]);
      if (rest.length < end) break;
      frames.push(rest.slice(head + 4, end));
      rest = rest.subarray(end);
    }
    this.held = rest.slice();
    return frames;
  }
}

function headEnd(bytes) {
  for (let i = 0; i + 3 < bytes.length; i += 1) {
    if (bytes[i] === 13 && bytes[i + 1] === 10 && bytes[i + 2] === 13 && bytes[i + 3] === 10) return i;
  }
  return -1;
}

/** One camera that is being looked at. */
class View {
  constructor(element) {
    this.element = element;
    this.canvas = element.querySelector(".live-frames");
    this.badge = element.querySelector(".live-badge");
    this.aborter = new AbortController();
    this.frameAt = null;
    this.count = 0;
  }

  async run() {
    this.paint();
    say(this.element, words.connecting);
    let ending;
    try {
      ending = await this.follow();
    } catch {
      ending = this.aborter.signal.aborted ? this.why : { text: words.lost };
    }
    views.delete(this.element);
    this.paint();
    say(this.element, ending.text, ending.lang);
  }

  /** Draw frames until they end; return what is to be said then. */
  async follow() {
    const answer = await fetch(`/api/cameras/${this.element.dataset.camera}/live`, { signal: this.aborter.signal, cache: "no-store" });
    if (!answer.ok) return refusal(answer, words);
    const reader = answer.body.getReader();
    const frames = new Frames();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      const newest = frames.add(value).at(-1);
      if (newest) await this.draw(newest);
    }
    return { text: Date.now() - this.frameAt > DRIED_MS ? words.dried : words.ended };
  }

  async draw(frame) {
    const bitmap = await createImageBitmap(new Blob([frame], { type: "image/jpeg" }));
    if (this.canvas.width !== bitmap.width || this.canvas.height !== bitmap.height) {
      this.canvas.width = bitmap.width;
      this.canvas.height = bitmap.height;
    }
    this.canvas.getContext("2d").drawImage(bitmap, 0, 0);
    bitmap.close();
    this.count += 1;
    this.frameAt = Date.now();
    this.canvas.dataset.frames = this.count;
    if (this.count === 1) {
      this.paint();
      say(this.element, words.live);
    }
    this.look();
  }

  /** What stands still must not look alive. */
  look() {
    if (this.frameAt === null) return;
    const age = Date.now() - this.frameAt;
    const stalled = age > STALLED_MS;
    this.badge.classList.toggle("stalled", stalled);
    this.badge.textContent = stalled ? words.stalled.replace("%(time)s", duration(age)) : words.live;
  }

  stop(text) {
    this.why = { text };
    this.aborter.abort();
  }

  /** Show frames or the stored picture, and the button that fits. */
  paint() {
    const running = views.get(this.element) === this;
    const seen = running && this.count > 0;
    this.canvas.hidden = !seen;
    this.badge.hidden = !seen;
    this.element.classList.toggle("is-live", seen);
    const [watch, stop] = [this.element.querySelector("[data-watch]"), this.element.querySelector("[data-stop]")];
    const held = document.activeElement === (running ? watch : stop);
    stop.hidden = !running;
    if (watch) watch.hidden = running;
    if (held) (running ? stop : watch)?.focus();
  }
}

/** What a refusal of the API says in the page's language; else as the hub wrote it. */
export async function refusal(answer, said) {
  const problem = await answer.json().catch(() => ({}));
  const known = said[`title_${String(problem.title ?? "").toLowerCase().replaceAll(" ", "_")}`];
  if (known) return { text: known };
  return { text: said.refused.replace("%(why)s", problem.detail ?? answer.status), lang: "en" };
}

function say(element, text, lang) {
  const said = element.querySelector(".live-said");
  said.textContent = text;
  if (lang) said.lang = lang;
  else said.removeAttribute("lang");
}

function watch(element) {
  if (views.has(element)) return;
  if (views.size >= most) {
    say(element, words.most.replace("%(count)s", most));
    return;
  }
  const view = new View(element);
  views.set(element, view);
  view.run();
}

box.addEventListener("click", ({ target }) => {
  const element = target.closest("[data-camera]");
  if (target.closest("[data-watch]")) watch(element);
  else if (target.closest("[data-stop]")) views.get(element)?.stop(words.stopped);
});

document.addEventListener("visibilitychange", () => {
  if (document.hidden) for (const view of views.values()) view.stop(words.hidden);
});

setInterval(() => {
  for (const view of views.values()) view.look();
}, 1000);

// --- what is not live: parts of the page, each taken over when it is another one and nobody is inside it ---

/** Take over the parts that changed; the whole when there are other cameras now and nobody looks at one. */
export async function refresh() {
  const answer = await fetch(box.dataset.source, { cache: "no-store" }).catch(() => null);
  if (!answer?.ok) return;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const fresh = page.getElementById("parts");
  if (!fresh) return;
  const [ours, theirs] = [parts(box), parts(fresh)];
  const same = ours.size === theirs.size && [...theirs.keys()].every((key) => ours.has(key));
  if (!same) {
    if (!views.size && !box.contains(document.activeElement)) location.reload();
    return;
  }
  for (const [key, part] of theirs) takeOver(ours.get(key), document.adoptNode(part));
  document.dispatchEvent(new CustomEvent("heng:parts"));
}

function parts(root) {
  return new Map([...root.querySelectorAll("[data-part]")].map((part) => [part.dataset.part, part]));
}

function takeOver(shown, fresh) {
  shown.source ??= null;
  const text = fresh.outerHTML;
  if (shown.source === text || shown.contains(document.activeElement)) return;
  for (const fold of fresh.querySelectorAll("details[data-fold]")) {
    const before = shown.querySelector(`details[data-fold="${CSS.escape(fold.dataset.fold)}"]`);
    if (before) fold.open = before.open;
  }
  const running = views.has(shown.closest("[data-camera]"));
  for (const button of fresh.querySelectorAll("[data-watch]")) button.hidden = running;
  const scrolled = shown.scrollTop;
  fresh.source = text;
  shown.replaceWith(fresh);
  fresh.scrollTop = scrolled;
}

let askedAt = Date.now();
setInterval(() => {
  const due = box.querySelector("[data-waits]") ? WAITING_MS : EVERY_MS;
  if (document.hidden || Date.now() - askedAt < due || !getSelection().isCollapsed) return;
  askedAt = Date.now();
  refresh();
}, 500);
