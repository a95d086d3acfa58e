// Keeps the values on a page live: follows the hub's event stream, writes values, ages and states.
// Values arrive as the text to show (exact decimals made by the hub); nothing is computed from them here.

const words = JSON.parse(document.getElementById("words").textContent);
const SILENCE_MS = 4_000; // the hub speaks at least every second
const ASK_MS = 10_000; // while points have no value, the hub is asked this often why
const ASK_SOON_MS = 1_500; // and so long after one lost it: its gap may be on the way

let serverAheadMs = Number(document.body.dataset.now) - Date.now();
let heardAt = Date.now();
let askedAt = Date.now();
let fault = null; // what the hub says of itself: "database", "broker" or nothing

/** The hub's time now, ms since 1970, whatever this computer's clock says. */
export function hubNow() {
  return Date.now() + serverAheadMs;
}

/** How long, in the words of the page. */
export function duration(ms) {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  const [count, unit] =
    seconds < 120 ? [seconds, "s"]
    : seconds < 7200 ? [Math.floor(seconds / 60), "min"]
    : seconds < 172800 ? [Math.floor(seconds / 3600), "h"]
    : [Math.floor(seconds / 86400), "d"];
  return `${count}\u202f${words.units[unit]}`;
}

/** How long ago, in the words of the page. */
export function ago(ms) {
  return words.ago.replace("%(time)s", duration(ms));
}

function tick() {
  const now = hubNow();
  for (const element of document.querySelectorAll("[data-at]")) {
    const age = now - Number(element.dataset.at);
    const text = ago(age).replaceAll(" ", "\u00a0");
    const due = Number(element.dataset.due);
    const late = Boolean(due) && age > 3 * due;
    const shown = late ? `${text} ·\u00a0${words.late}` : text;
    if (element.textContent !== shown) element.textContent = shown;
    element.classList.toggle("late", late);
    const row = due && element.closest("[data-point], [data-position]");
    if (row) writeStale(row, late, age);
  }
  countRemarks();
  if (!document.body.dataset.live) return; // a page without a stream says as of when it is, and stays so
  if (lacking() && Date.now() - askedAt > ASK_MS) askWhys();
  setLink(Date.now() - heardAt < SILENCE_MS);
}

/** A group's heading says how many of its points have a remark, also while the group is folded. */
function countRemarks() {
  for (const group of document.querySelectorAll("details.place")) {
    const said = group.querySelector(".group-flag");
    const points = new Set();
    for (const row of group.querySelectorAll("tr[data-point]")) if (isRemark(row.querySelector(".flag"))) points.add(row.dataset.point);
    for (const figure of group.querySelectorAll("figure[data-chart]")) if (remarked(figure.dataset.chart)) points.add(figure.dataset.chart);
    const text = points.size ? words.remarks.replace("%(count)s", points.size) : "";
    if (said.textContent !== text) said.textContent = text;
    said.classList.toggle("urgent", group.querySelector("td > .flag.urgent") !== null);
  }
}

/** Whether a flag says that something is wrong; what is absent as it should be is said as well. */
function isRemark(flag) {
  return Boolean(flag?.textContent) && !flag.classList.contains("usual");
}

function remarked(point) {
  return isRemark(document.querySelector(`tr[data-point="${point}"] .flag`));
}

/** Whether a row on this page has no value of now. */
function lacking() {
  return document.querySelector(".stale .why, tr[data-point]:has(.value.absent) .why") !== null;
}

/** Ask the hub why, and since when, points have no value of now; what has one again needs no answer. */
async function askWhys() {
  askedAt = Date.now();
  const answer = await fetch(document.body.dataset.live.replace("/live", "/parts/whys")).catch(() => null);
  if (!answer?.ok) return;
  const parts = new DOMParser().parseFromString(await answer.text(), "text/html");
  for (const part of parts.querySelectorAll("[data-why-of]")) {
    const id = part.dataset.whyOf;
    for (const row of document.querySelectorAll(`[data-point="${id}"], [data-position="${id}"]`)) {
      const why = row.querySelector(".why");
      const bad = row.classList.contains("stale") || (row.dataset.point && row.querySelector(".flag")?.textContent);
      if (why && bad && why.innerHTML !== part.innerHTML) why.replaceChildren(...part.cloneNode(true).childNodes);
    }
  }
}

function clearWhy(row) {
  const why = row.querySelector(".why");
  if (why?.hasChildNodes()) why.replaceChildren();
}

const link = document.getElementById("link-state");
let everLive = false;

function setLink(alive) {
  if (!everLive && alive) return;
  const said = alive ? fault ?? "live" : "lost";
  const state = said === "live" ? "live" : "lost";
  const text = link.dataset[`${said}Word`];
  if (link.dataset.state === state && link.textContent === text) return;
  link.dataset.state = state;
  link.textContent = text;
  for (const element of document.querySelectorAll(".state")) paintState(element);
}

/** What a state is worth: as the hub says it while it is heard and hears; else grey, with what was known last. */
function paintState(element) {
  element.dataset.kind ??= element.className.replace("state", "").trim();
  element.dataset.word ??= element.textContent;
  const known = link?.dataset.state !== "lost";
  element.className = `state ${known ? element.dataset.kind : "unmonitored"}`;
  element.textContent = known ? element.dataset.word : words.last_known.replace("%(state)s", element.dataset.word);
}

/** A silent row is grey, and its remark says that this is the last value and how old it is. */
function writeStale(row, late, age) {
  const was = row.classList.contains("stale");
  row.classList.toggle("stale", late);
  if (was !== late && row.dataset.point) {
    for (const brief of document.querySelectorAll(`.brief [data-point="${row.dataset.point}"]`)) brief.classList.toggle("stale", late);
  }
  const flag = row.querySelector(".flag");
  if (!flag) return;
  if (late && !was) askedAt = Math.min(askedAt, Date.now() - ASK_MS + ASK_SOON_MS);
  if (late) {
    const absent = row.querySelector(".value.absent");
    const text = absent ? words.silent : words.last_value.replace("%(time)s", duration(age));
    if (flag.textContent !== text) flag.textContent = text;
    flag.classList.remove("urgent", "usual");
  } else {
    if (was && "position" in row.dataset) flag.textContent = "";
    if (!flag.textContent) clearWhy(row);
  }
}

function writeAge(cell, point) {
  let age = cell.querySelector(".age");
  if (point.at === null) return;
  if (age.tagName !== "TIME") {
    const time = document.createElement("time");
    time.className = "age";
    if (age.dataset.due) time.dataset.due = age.dataset.due;
    age.replaceWith(time);
    age = time;
  }
  writeTime(age, point);
}

function writeTime(age, { at, clock }) {
  age.dataset.at = at;
  age.dateTime = new Date(at).toISOString();
  age.title = clock;
}

function writePoint(row, point) {
  const value = row.querySelector(".value");
  if (value.textContent !== point.text) {
    value.textContent = point.text;
    value.classList.remove("fresh");
    requestAnimationFrame(() => value.classList.add("fresh"));
  }
  value.title = point.exact;
  value.classList.toggle("absent", point.look === "absent");
  value.classList.toggle("word", point.look === "word");
  const flag = row.querySelector(".flag");
  if (flag && flag.textContent !== point.flag) {
    flag.textContent = point.flag;
    for (const weight of ["urgent", "usual", "remark"]) flag.classList.toggle(weight, weight === point.weight);
    if (point.flag) askedAt = Math.min(askedAt, Date.now() - ASK_MS + ASK_SOON_MS);
  }
  if (!point.flag && !row.querySelector("[data-due]")) clearWhy(row); // else the next tick does, which knows what is late
  const age = row.querySelector(".age-cell");
  if (!age) return;
  if (point.due) age.querySelector(".age").dataset.due = point.due;
  else delete age.querySelector(".age").dataset.due;
  writeAge(age, point);
}

function writeState(id, state) {
  const element = document.getElementById(id);
  if (!element) return;
  element.dataset.kind = state.kind;
  element.dataset.word = state.word;
  paintState(element);
}

/** What needs attention: lines stay the same elements while what they speak of does, so that a focus stays. */
function writeNeeds({ total, lines }) {
  const box = document.getElementById("needs");
  if (!box) return;
  const list = box.querySelector("ul");
  const before = new Map([...list.children].map((item) => [item.dataset.need, item]));
  lines.forEach((line, place) => {
    const item = before.get(line.key) ?? needItem(line);
    before.delete(line.key);
    writeNeed(item, line);
    if (list.children[place] !== item) list.insertBefore(item, list.children[place] ?? null);
  });
  for (const item of before.values()) item.remove();
  box.querySelector("#needs-count").textContent = total;
  box.querySelector("#needs-none").hidden = total > 0;
}

function needItem(line) {
  const item = document.createElement("li");
  item.dataset.need = line.key;
  const parts = [["a", ""], ["span", "where"], ["span", "since"]];
  if (line.word) parts.unshift(["span", "state"]);
  for (const [name, look] of parts) {
    const part = document.createElement(name);
    if (look) part.className = look;
    item.append(part);
  }
  return item;
}

function writeNeed(item, line) {
  const state = item.querySelector(".state");
  if (state) {
    state.dataset.kind = line.kind;
    state.dataset.word = line.word;
    paintState(state);
  }
  const link = item.querySelector("a");
  if (link.getAttribute("href") !== line.href) link.setAttribute("href", line.href);
  for (const [part, text] of [[link, line.text], [item.querySelector(".where"), line.where], [item.querySelector(".since"), line.since]]) {
    if (part.textContent !== text) part.textContent = text;
  }
  let age = item.querySelector(".age");
  if (line.at === null) { age?.remove(); return; }
  if (!age) {
    age = document.createElement("time");
    age.className = "age";
    item.append(age);
  }
  writeTime(age, line);
}

const handlers = {
  points(list) {
    for (const point of list) {
      for (const row of document.querySelectorAll(`[data-point="${point.id}"]`)) writePoint(row, point);
    }
    tick();
  },
  states({ badges, counts, needs }) {
    for (const state of badges) writeState(state.element, state);
    for (const [key, count] of Object.entries(counts)) {
      const figure = document.getElementById(`figure-${key}`);
      if (!figure) continue;
      figure.querySelector("dd").textContent = count;
      figure.classList.toggle("nought", count === 0);
    }
    writeNeeds(needs);
    tick();
  },
  positions() {},
  control() {},
  time({ now, connected, broker }) {
    serverAheadMs = now - Date.now();
    fault = !connected ? "database" : !broker ? "broker" : null;
    setLink(true);
  },
};

/** Start following; every event is also dispatched on `document` as `heng:<name>` with its data. */
function follow(address) {
  const source = new EventSource(address);
  for (const [name, handle] of Object.entries(handlers)) {
    source.addEventListener(name, (message) => {
      heardAt = Date.now();
      everLive = true;
      const data = JSON.parse(message.data);
      handle(data);
      document.dispatchEvent(new CustomEvent(`heng:${name}`, { detail: data }));
    });
  }
  source.addEventListener("error", () => {
    heardAt = 0;
    everLive = true;
    setLink(false);
    if (source.readyState === EventSource.CLOSED) setTimeout(() => followAgain(address), 3000);
  });
  window.addEventListener("pagehide", () => source.close());
}

/** The stream was refused: whoever is no longer signed in is led to the sign-in, else it is tried again. */
async function followAgain(address) {
  const head = await fetch(address, { method: "HEAD" }).catch(() => null);
  if (head && (head.status === 401 || head.status === 403)) location.reload();
  else follow(address);
}

if (document.body.dataset.live) follow(document.body.dataset.live);
setInterval(tick, 1000);
tick();
