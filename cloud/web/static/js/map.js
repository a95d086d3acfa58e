// Shows vehicles and their tracks of the last 24 h on tiles or, without tiles, on a plain grid with a scale.
// Positions are WGS-84 everywhere; only here they are shifted, when the tiles are GCJ-02.

import * as maplibre from "../lib/maplibre-gl.mjs";
import { toGcj02 } from "./gcj02.js";
import { addGrid } from "./grid.js";
import { duration, hubNow } from "./live.js";

const words = JSON.parse(document.getElementById("words").textContent);
const COLOURS = 4;
const NAME_AWAY_PX = 18; // from the middle of a vehicle to its name

function overlap(a, b) {
  return a.left < b.left + b.width && b.left < a.left + a.width && a.top < b.top + b.height && b.top < a.top + a.height;
}

function css(name, element = document.documentElement) {
  return getComputedStyle(element).getPropertyValue(name).trim();
}

function trackColour(index) {
  const probe = document.createElement("span");
  probe.className = `track-${index % COLOURS}`;
  document.body.append(probe);
  const colour = css("--track", probe);
  probe.remove();
  return colour;
}

function tileStyle(tiles) {
  const style = { version: 8, sources: {}, layers: [{ id: "ground", type: "background", paint: { "background-color": css("--surface") } }] };
  tiles.urls.forEach((url, i) => {
    style.sources[`tiles-${i}`] = { type: "raster", tiles: [url], tileSize: 256, maxzoom: 18, attribution: i === 0 ? tiles.attribution : undefined };
    style.layers.push({ id: `tiles-${i}`, type: "raster", source: `tiles-${i}` });
  });
  return style;
}

function markElement(vehicle) {
  const element = document.createElement("div");
  element.className = `vehicle-mark track-${vehicle.index % COLOURS}`;
  element.innerHTML = '<svg viewBox="0 0 30 30" aria-hidden="true"><g><path class="body" d="M15 2 25 27 15 21.5 5 27Z"/><path class="edge" d="M15 2 25 27 15 21.5 5 27Z"/></g><circle class="body dot" cx="15" cy="15" r="8"/></svg>';
  const name = document.createElement("span");
  name.className = "vehicle-name";
  name.textContent = vehicle.title;
  element.append(name);
  return element;
}

class Fleet {
  constructor(box) {
    this.box = box;
    this.tiles = JSON.parse(box.dataset.tiles);
    this.marks = new Map();
    this.vehicles = [];
    this.place = this.tiles.kind === "gcj02" ? toGcj02 : (at) => at;
  }

  async start() {
    const answer = await fetch(this.box.dataset.source).catch(() => null);
    if (!answer?.ok) return this.say(words.map_failed);
    this.vehicles = (await answer.json()).vehicles;
    for (const vehicle of this.vehicles) {
      // Without a fix a vehicle stays where it was last, as an old place.
      vehicle.lost = !vehicle.at;
      vehicle.placed = vehicle.lost ? vehicle.last?.time : vehicle.time;
      vehicle.at ??= vehicle.last?.at ?? null;
    }
    const canvas = document.createElement("div");
    canvas.className = "map-canvas";
    this.box.replaceChildren(canvas);
    try {
      this.map = new maplibre.Map({ container: canvas, style: tileStyle(this.tiles), attributionControl: { compact: true }, maxZoom: 19, maxPitch: 0, dragRotate: false, center: [104, 35], zoom: 3, locale: words.map_locale });
    } catch {
      return this.say(words.map_needs_webgl);
    }
    this.map.touchZoomRotate.disableRotation();
    this.map.addControl(new maplibre.NavigationControl({ showCompass: false }), "top-right");
    this.map.addControl(new maplibre.ScaleControl({ maxWidth: 140, unit: "metric" }), "bottom-right");
    await new Promise((resolve) => { this.map.on("load", resolve); });
    if (this.tiles.urls.length === 0) addGrid(this.map, this.box, css("--line"));
    this.addTracks();
    for (const vehicle of this.vehicles) this.mark(vehicle);
    this.fit(this.vehicles, false);
    this.listen();
    this.map.on("move", () => this.places());
    this.map.on("resize", () => this.places());
    this.places();
    this.box.dataset.ready = "yes";
  }

  say(text) {
    this.box.replaceChildren(Object.assign(document.createElement("p"), { className: "message", textContent: text }));
  }

  features() {
    const features = [];
    for (const vehicle of this.vehicles) {
      const colour = trackColour(vehicle.index);
      const add = (kind, path) => features.push({ type: "Feature", properties: { kind, colour }, geometry: { type: "LineString", coordinates: path.map(this.place) } });
      vehicle.segments.filter((path) => path.length > 1).forEach((path) => add("track", path));
      vehicle.segments.slice(1).forEach((path, i) => add("gap", [vehicle.segments[i].at(-1), path[0]]));
    }
    return { type: "FeatureCollection", features };
  }

  addTracks() {
    this.map.addSource("tracks", { type: "geojson", tolerance: 0.1, data: this.features() });
    const rounded = { "line-cap": "round", "line-join": "round" };
    this.map.addLayer({ id: "track-edge", type: "line", source: "tracks", filter: ["==", ["get", "kind"], "track"], layout: rounded, paint: { "line-color": css("--surface"), "line-width": 6 } });
    this.map.addLayer({ id: "track", type: "line", source: "tracks", filter: ["==", ["get", "kind"], "track"], layout: rounded, paint: { "line-color": ["get", "colour"], "line-width": 3 } });
    this.map.addLayer({ id: "track-gap", type: "line", source: "tracks", filter: ["==", ["get", "kind"], "gap"], paint: { "line-color": css("--late"), "line-width": 2, "line-dasharray": [1, 3] } });
  }

  mark(vehicle) {
    if (!vehicle.at) return;
    let mark = this.marks.get(vehicle.point);
    if (!mark) {
      mark = new maplibre.Marker({ element: markElement(vehicle), anchor: "center" });
      mark.setLngLat(this.place(vehicle.at)).addTo(this.map);
      mark.getElement().setAttribute("aria-label", vehicle.title);
      this.marks.set(vehicle.point, mark);
    }
    mark.setLngLat(this.place(vehicle.at));
    mark.getElement().classList.toggle("no-course", vehicle.course === null);
    this.age(vehicle);
    if (vehicle.course !== null) mark.getElement().querySelector("g").setAttribute("transform", `rotate(${vehicle.course} 15 15)`);
  }

  /** A vehicle that is late or has no fix is hollow and grey; a late one says how old its place is. */
  age(vehicle) {
    const element = this.marks.get(vehicle.point)?.getElement();
    if (!element) return;
    const age = hubNow() - vehicle.placed;
    const late = Boolean(vehicle.due) && hubNow() - vehicle.time > 3 * vehicle.due;
    element.classList.toggle("unsure", vehicle.mode < 2);
    element.classList.toggle("late", late || vehicle.lost);
    const old = late ? words.last_value : vehicle.lost ? words.last_place : null;
    const name = old ? `${vehicle.title} · ${old.replace("%(time)s", duration(age))}` : vehicle.title;
    const label = element.querySelector(".vehicle-name");
    if (label.textContent === name) return;
    label.textContent = name;
    this.places();
    element.setAttribute("aria-label", name);
  }

  /** Every name stands beside its vehicle where it is not cut off and covers no other name and no control, if there is such a place. */
  places() {
    const [width, height] = [this.box.clientWidth, this.box.clientHeight];
    const taken = [{ left: width - 50, top: 0, width: 50, height: 85 }, { left: width - 150, top: height - 40, width: 150, height: 40 }];
    for (const vehicle of this.vehicles) if (this.marks.has(vehicle.point)) taken.push(this.placeName(vehicle, taken));
  }

  placeName(vehicle, taken) {
    const { x, y } = this.map.project(this.place(vehicle.at));
    const name = this.marks.get(vehicle.point).getElement().querySelector(".vehicle-name");
    const [width, height] = [name.offsetWidth, name.offsetHeight];
    const sides = [[NAME_AWAY_PX, -height / 2], [-NAME_AWAY_PX - width, -height / 2], [-width / 2, NAME_AWAY_PX], [-width / 2, -NAME_AWAY_PX - height]]
      .map(([right, down]) => ({ left: x + right, top: y + down, width, height }));
    const whole = sides.filter((side) => this.holds(side));
    const inside = this.holds({ left: x, top: y, width: 0, height: 0 });
    const best = !inside ? sides[0] : whole.find((side) => !taken.some((other) => overlap(side, other))) ?? whole[0] ?? this.pushedIn(sides[0]);
    name.style.transform = `translate(${best.left - x}px, ${best.top - y}px)`;
    return best;
  }

  holds({ left, top, width, height }) {
    return left >= 0 && top >= 0 && left + width <= this.box.clientWidth && top + height <= this.box.clientHeight;
  }

  pushedIn(side) {
    const into = (at, size, room) => Math.max(0, Math.min(at, room - size));
    return { ...side, left: into(side.left, side.width, this.box.clientWidth), top: into(side.top, side.height, this.box.clientHeight) };
  }

  fit(vehicles, moving = true) {
    const bounds = new maplibre.LngLatBounds();
    for (const vehicle of vehicles) {
      if (vehicle.at) bounds.extend(this.place(vehicle.at));
      vehicle.segments.flat().forEach((at) => bounds.extend(this.place(at)));
    }
    if (!bounds.isEmpty()) this.map.fitBounds(bounds, { padding: 60, maxZoom: 15, duration: moving ? 600 : 0 });
  }

  listen() {
    setInterval(() => this.vehicles.forEach((vehicle) => this.age(vehicle)), 1000);
    document.addEventListener("heng:positions", ({ detail }) => {
      for (const news of detail) this.move(news);
      this.map.getSource("tracks").setData(this.features());
    });
    for (const button of document.querySelectorAll("[data-show-vehicle]")) {
      const shown = () => this.vehicles.filter(({ site }) => site === button.dataset.showVehicle);
      button.disabled = !shown().some(({ at, segments }) => at || segments.length);
      button.addEventListener("click", () => this.fit(shown()));
    }
    document.querySelector("[data-show-all]")?.addEventListener("click", () => this.fit(this.vehicles));
  }

  move(news) {
    const vehicle = this.vehicles.find(({ point }) => point === news.point);
    if (!vehicle) return;
    if (!news.at) {
      Object.assign(vehicle, { mode: news.mode, time: news.time, lost: true });
      this.age(vehicle);
      return;
    }
    const broken = vehicle.lost || news.time - vehicle.time > vehicle.break_ms || vehicle.segments.length === 0;
    Object.assign(vehicle, { at: news.at, mode: news.mode, course: news.course, time: news.time, placed: news.time, lost: false });
    for (const button of document.querySelectorAll(`[data-show-vehicle="${CSS.escape(vehicle.site)}"]`)) button.disabled = false;
    if (broken) vehicle.segments.push([news.at]);
    else vehicle.segments.at(-1).push(news.at);
    this.mark(vehicle);
    this.places();
  }
}

for (const box of document.querySelectorAll(".map-box[data-source]")) new Fleet(box).start();

document.addEventListener("heng:positions", ({ detail }) => {
  for (const news of detail) {
    for (const row of document.querySelectorAll(`[data-position="${news.point}"]`)) {
      for (const [name, text] of Object.entries(news.words)) {
        const cell = row.querySelector(`[data-field="${name}"]`);
        if (cell) cell.textContent = text;
      }
      const age = row.querySelector("[data-at]");
      if (age) age.dataset.at = news.time;
    }
  }
});
