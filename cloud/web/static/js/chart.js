// Draws one point's readings with uPlot: line, low-high band, gaps as hatched stretches with their cause.
// Counts stay integers until they are drawn or written; text is made from them exactly.

import uPlot from "../lib/uplot.js";
import { fillTable } from "./table.js";
import { hubNow } from "./live.js";

const words = JSON.parse(document.getElementById("words").textContent);
const FOCUSABLE_GAPS = 12;
const REFRESH_MS = 60_000;
const SOON_MS = 5_000;
const SILENT_PERIODS = 3; // as the hub counts them
const LABEL_ROOM_PX = 76; // so wide is a time of day with seconds, and a little room
const sync = uPlot.sync("site");

/** count * 10**exponent, written out exactly with a true minus sign. */
export function decimalText(count, exponent) {
  if (count === null || count === undefined) return "—";
  const sign = count < 0 ? "\u2212" : "";
  const digits = String(Math.abs(count));
  if (exponent >= 0) return sign + digits + "0".repeat(exponent);
  const padded = digits.padStart(1 - exponent, "0");
  return `${sign}${padded.slice(0, exponent)}.${padded.slice(exponent)}`;
}

/** A number beside the axis: as many places as the step between two of them needs. */
function scaleText(value, step) {
  let places = 0;
  while (places < 12 && Math.abs(step * 10 ** places - Math.round(step * 10 ** places)) > 1e-6) places += 1;
  return value.toFixed(places).replace("-", "\u2212");
}

function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

/** Columns for uPlot; a hole between two readings breaks the line. */
function columns(data) {
  const times = [];
  const [middle, low, high] = [[], [], []];
  const scale = 10 ** data.exponent;
  const valueScale = 10 ** data.value_exponent;
  let hole = 0;
  let covered = -Infinity; // how far holes reach that began before
  const put = (time, i) => {
    times.push(time / 1000);
    middle.push(i === null || data.value[i] === null ? null : data.value[i] * valueScale);
    low.push(i === null || data.low[i] === null ? null : data.low[i] * scale);
    high.push(i === null || data.high[i] === null ? null : data.high[i] * scale);
  };
  data.times.forEach((time, i) => {
    const before = i ? data.times[i - 1] : -Infinity;
    let broken = i > 0 && covered > (before + time) / 2 ? before + 1 : null;
    for (; hole < data.holes.length && data.holes[hole].from < time; hole += 1) {
      const { from, to } = data.holes[hole];
      covered = Math.max(covered, to ?? Infinity);
      if (from >= before) broken ??= from + 1;
    }
    if (broken !== null) put(Math.min(broken, time - 1), null);
    put(time, i);
  });
  return [times, middle, low, high];
}

class Chart {
  constructor(figure) {
    this.figure = figure;
    this.box = figure.querySelector(".plot");
    this.readout = figure.querySelector(".readout");
    this.zone = figure.dataset.zone;
    this.states = JSON.parse(figure.dataset.states);
    this.format = new Intl.DateTimeFormat(document.documentElement.lang, {
      timeZone: this.zone, year: "numeric", month: "2-digit", day: "2-digit",
      hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23",
    });
    this.clock = (ms) => this.format.format(new Date(ms));
    new ResizeObserver(() => this.resize()).observe(this.box);
    this.box.addEventListener("keydown", (event) => this.key(event));
    figure.querySelector("details").addEventListener("toggle", () => this.table());
  }

  async load() {
    this.loadedAt = Date.now();
    const answer = await fetch(this.figure.dataset.source).catch(() => null);
    if (!answer?.ok) {
      this.say(words.chart_failed);
      return;
    }
    this.data = await answer.json();
    this.reached = (this.data.times.at(-1) ?? this.data.from) + (this.data.step_s ?? 0) * 1000;
    this.live = this.data.live;
    this.draw();
    this.table();
  }

  say(text) {
    this.box.removeAttribute("aria-busy");
    this.box.replaceChildren(Object.assign(document.createElement("p"), { className: "message", textContent: text }));
    this.plot = null;
  }

  text(count, exponent = this.data.exponent) {
    const word = this.states[String(count)];
    return word ?? `${decimalText(count, exponent)} ${this.figure.dataset.unit}`.trim();
  }

  draw() {
    this.box.removeAttribute("aria-busy");
    this.box.replaceChildren();
    this.plot = new uPlot(this.options(), columns(this.data), this.box);
    this.figure.dataset.drawn = this.data.times.length;
    this.figure.querySelector(".extent").textContent = this.extent();
  }

  extent() {
    const present = (list) => list.filter((count) => count !== null);
    const low = present(this.data.low);
    if (low.length === 0) return words.no_readings;
    if (Object.keys(this.states).length) return "";
    const lowest = low.reduce((a, b) => Math.min(a, b));
    const highest = present(this.data.high).reduce((a, b) => Math.max(a, b));
    return words.extent.replace("%(low)s", this.text(lowest)).replace("%(high)s", this.text(highest));
  }

  options() {
    const axis = { stroke: colour("--quiet"), grid: { stroke: colour("--line"), width: 1 }, ticks: { stroke: colour("--line") } };
    const isState = Object.keys(this.states).length > 0;
    const paths = isState ? uPlot.paths.stepped({ align: 1 }) : undefined;
    const line = { stroke: colour("--accent"), width: 1.5, paths, points: { show: this.data.times.length < 60, size: 4 } };
    const edge = { stroke: "transparent", width: 0, paths, points: { show: false } };
    return {
      width: Math.max(this.box.clientWidth, 200), height: Math.max(this.box.clientHeight, 80),
      padding: [null, LABEL_ROOM_PX / 2 - 8, null, null], // else the last time of day is cut off
      cursor: { sync: { key: sync.key, setSeries: false }, drag: { x: true, y: false }, points: { size: 7 } },
      tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), this.zone),
      scales: { x: { range: () => this.window() }, y: { range: (_, low, high) => this.span(low, high, isState) } },
      axes: [
        { ...axis, size: 32, space: LABEL_ROOM_PX, values: (_, splits, __, ___, step) => splits.map((at) => this.label(at, step)) },
        { ...axis, size: isState ? this.wordWidth() : 62, values: (_, splits, __, ___, step) => splits.map((y) => (isState ? this.states[String(y)] ?? "" : scaleText(y, step))) },
      ],
      series: [{}, line, edge, edge],
      bands: [{ series: [3, 2], fill: colour("--band") }],
      legend: { show: false },
      hooks: { setCursor: [(plot) => this.point(plot)], draw: [() => this.marks()] },
    };
  }

  wordWidth() {
    const longest = Object.values(this.states).reduce((a, b) => (b.length > a.length ? b : a), "");
    return Math.min(130, 24 + longest.length * (/^[\x20-\x7e]*$/.test(longest) ? 7 : 13));
  }

  label(at, step) {
    const options = step >= 86400 ? { month: "2-digit", day: "2-digit" }
      : step >= 60 ? { hour: "2-digit", minute: "2-digit" } : { hour: "2-digit", minute: "2-digit", second: "2-digit" };
    return new Intl.DateTimeFormat(document.documentElement.lang, { ...options, timeZone: this.zone, hourCycle: "h23" }).format(new Date(at * 1000));
  }

  window() {
    const width = this.data.to - this.data.from;
    const to = this.live ? Math.max(hubNow(), this.data.to) : this.data.to;
    return [(to - width) / 1000, to / 1000];
  }

  span(low, high, isState) {
    if (low === null || high === null) return [0, 1];
    if (isState) return [Math.min(low, 0) - 0.3, Math.max(high, 1) + 0.3];
    const least = 10 ** (this.data.exponent + 1);
    const pad = Math.max((high - low) * 0.08, least);
    return [low - pad, high + pad];
  }

  /** Lay a hatched mark over each hole; the widest ones can be reached with the keyboard. */
  marks() {
    const plot = this.plot ?? null;
    if (!plot) { queueMicrotask(() => this.plot && this.marks()); return; }
    const over = plot.over;
    over.querySelectorAll(".gap-mark").forEach((mark) => { if (mark !== document.activeElement) mark.remove(); });
    const kept = over.querySelector(".gap-mark");
    const [first, last] = this.window().map((s) => s * 1000);
    const width = over.clientWidth;
    const drawn = this.data.holes
      .map((hole) => ({ hole, from: Math.max(hole.from, first), to: Math.min(hole.to ?? hubNow(), last) }))
      .filter(({ from, to }) => to > from);
    const widest = new Set([...drawn].sort((a, b) => b.to - b.from - (a.to - a.from)).slice(0, FOCUSABLE_GAPS));
    for (const item of drawn) {
      const left = ((item.from - first) / (last - first)) * width;
      const right = ((item.to - first) / (last - first)) * width;
      const key = String(item.hole.from);
      const mark = kept?.dataset.key === key ? kept : document.createElement(widest.has(item) ? "button" : "span");
      mark.className = item.hole.cause ? "gap-mark" : "gap-mark unexplained";
      mark.dataset.key = key;
      mark.style.left = `${left}px`;
      mark.style.width = `${Math.max(3, right - left)}px`;
      if (mark !== kept) this.describe(mark, item.hole, over);
    }
    if (kept && !drawn.some(({ hole }) => String(hole.from) === kept.dataset.key)) kept.remove();
  }

  describe(mark, hole, over) {
    const text = this.holeText(hole);
    mark.title = text;
    if (mark.tagName === "BUTTON") {
      mark.type = "button";
      mark.setAttribute("aria-label", text);
    } else mark.setAttribute("aria-hidden", "true");
    for (const kind of ["mouseenter", "focus", "click"]) mark.addEventListener(kind, () => this.tell(hole));
    over.append(mark);
  }

  /** Say a hole below the chart; a reason that stays English is marked as such. */
  tell(hole) {
    const [before, after] = this.holeText({ ...hole, reason: hole.reason && "\0" }).split("\0");
    this.readout.textContent = before;
    if (after === undefined) return;
    const reason = document.createElement("span");
    reason.textContent = hole.reason;
    if (hole.lang) reason.lang = hole.lang;
    this.readout.append(reason, after);
  }

  holeText(hole) {
    const to = hole.to === null ? words.still_open : this.clock(hole.to);
    return `${hole.word}${hole.reason ? ` (${hole.reason})` : ""}: ${this.clock(hole.from)} – ${to}`;
  }

  point(plot) {
    const index = plot.cursor.idx;
    if (index === null || index === undefined || plot.cursor.left < 0) return;
    const at = plot.data[0][index] * 1000;
    const i = this.data.times.findIndex((time) => Math.abs(time - at) < 0.5);
    if (i < 0) return;
    const { value, low, high } = this.data;
    const spread = low[i] !== high[i] ? ` (${this.text(low[i])} … ${this.text(high[i])})` : "";
    this.readout.textContent = `${this.clock(this.data.times[i])}: ${value[i] === null ? words.absent : this.text(value[i], this.data.value_exponent)}${spread}`;
  }

  key(event) {
    const moves = { ArrowLeft: -1, ArrowRight: 1, PageUp: -10, PageDown: 10, Home: -Infinity, End: Infinity };
    const move = moves[event.key];
    if (move === undefined || event.target !== this.box || !this.plot || this.data.times.length === 0) return;
    event.preventDefault();
    const last = this.data.times.length - 1;
    this.index = Math.min(last, Math.max(0, (this.index ?? last) + move));
    const left = this.plot.valToPos(this.data.times[this.index] / 1000, "x");
    const value = this.data.value[this.index];
    const top = value === null ? 1 : this.plot.valToPos(value * 10 ** this.data.value_exponent, "y");
    this.plot.setCursor({ left, top });
  }

  append(point) {
    if (!this.live || !point.at) return;
    if (Date.now() - this.loadedAt > REFRESH_MS) { this.load(); return; }
    if (point.exponent < this.data.exponent || point.exponent < this.data.value_exponent) return;
    const { times } = this.data;
    if (times.length && point.at <= times[times.length - 1]) return;
    this.notice(point);
    times.push(point.at);
    const count = (exponent) => (point.count === null ? null : point.count * 10 ** (point.exponent - exponent));
    this.data.value.push(count(this.data.value_exponent));
    for (const column of [this.data.low, this.data.high]) column.push(count(this.data.exponent));
    this.data.status.push(point.flag);
    this.closeHole(point.at);
    if (!this.plot) return;
    this.plot.setData(columns(this.data));
    this.figure.dataset.drawn = times.length;
    this.figure.querySelector(".extent").textContent = this.extent();
  }

  /** A stretch in which more than three readings were due is a hole at once; the hub tells its cause a little later. */
  notice(point) {
    const due = Math.max(this.data.due_ms ?? 0, point.due ?? 0);
    const known = this.data.holes.some((hole) => hole.cause && (hole.to ?? Infinity) > this.reached);
    if (due && point.at - this.reached > SILENT_PERIODS * due) {
      if (!known) {
        this.data.holes = this.data.holes.filter((hole) => hole.from < this.reached);
        this.data.holes.push({ from: this.reached, to: point.at, cause: null, word: words.unexplained, reason: "", lang: "" });
      }
      this.soon();
    } else if (point.due !== this.data.due_ms) this.soon();
    this.data.due_ms = point.due;
    this.reached = point.at;
  }

  /** Ask the hub anew with one of the next readings. */
  soon() {
    this.loadedAt = Math.min(this.loadedAt, Date.now() - REFRESH_MS + SOON_MS);
  }

  /** A reading has come: a hole that was still open ends before it. */
  closeHole(at) {
    for (const hole of this.data.holes) if (hole.to === null) hole.to = at;
  }

  resize() {
    if (!this.plot) return;
    this.plot.setSize({ width: Math.max(this.box.clientWidth, 200), height: Math.max(this.box.clientHeight, 80) });
  }

  table() {
    const details = this.figure.querySelector("details");
    if (details.open && this.data) fillTable(details.querySelector(".scroll"), this);
  }
}

const charts = new Map();
const seen = new IntersectionObserver((entries) => {
  for (const entry of entries.filter((one) => one.isIntersecting)) {
    seen.unobserve(entry.target);
    charts.get(entry.target.dataset.chart).load();
  }
}, { rootMargin: "300px" });

for (const figure of document.querySelectorAll("figure[data-chart]")) {
  charts.set(figure.dataset.chart, new Chart(figure));
  seen.observe(figure);
}

document.addEventListener("heng:points", ({ detail }) => {
  for (const point of detail) charts.get(String(point.id))?.append(point);
});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
  for (const chart of charts.values()) if (chart.data) chart.draw();
});
