// The plain background of the map where no tiles are set: meridians and parallels at round degrees, with labels.
// It knows no coastline and no border.

const STEPS = [30, 20, 10, 5, 2, 1, 0.5, 0.2, 0.1, 0.05, 0.02, 0.01, 0.005, 0.002, 0.001, 0.0005, 0.0002, 0.0001];
const LINES_MIN = 3;
const LABEL_HALF_PX = 40; // nearer to an edge a label would be cut off
const LABEL_HIGH_PX = 10; // and the lowest line belongs to the meridians' labels
const SCALE_ROOM_PX = 150; // the scale stands at the bottom right, where no label may be

/** The widest round step that gives at least three lines over `span` degrees. */
export function stepFor(span) {
  return STEPS.find((step) => span / step >= LINES_MIN) ?? STEPS[STEPS.length - 1];
}

/** Round multiples of `step` inside [low, high]. */
export function ticks(low, high, step) {
  const places = Math.max(0, Math.ceil(-Math.log10(step)));
  const list = [];
  for (let n = Math.ceil(low / step); n * step <= high; n += 1) list.push(Number((n * step).toFixed(places)));
  return list;
}

function line(from, to) {
  return { type: "Feature", properties: {}, geometry: { type: "LineString", coordinates: [from, to] } };
}

/** Put grid lines on the map and their labels at its edges; both follow the view. */
export function addGrid(map, box, ink) {
  map.addSource("grid", { type: "geojson", data: { type: "FeatureCollection", features: [] } });
  map.addLayer({ id: "grid", type: "line", source: "grid", paint: { "line-color": ink, "line-width": 1, "line-opacity": 0.9 } });
  const labels = document.createElement("div");
  labels.setAttribute("aria-hidden", "true");
  map.getCanvas().after(labels); // below the vehicles and their names
  const place = () => {
    const bounds = map.getBounds();
    const [west, east, south, north] = [bounds.getWest(), bounds.getEast(), Math.max(bounds.getSouth(), -85), Math.min(bounds.getNorth(), 85)];
    const step = stepFor(Math.min(east - west, (north - south) * 1.6));
    const meridians = ticks(west, east, step);
    const parallels = ticks(south, north, step);
    map.getSource("grid").setData({ type: "FeatureCollection", features: [
      ...meridians.map((x) => line([x, -85], [x, 85])), ...parallels.map((y) => line([west - 1, y], [east + 1, y])),
    ] });
    const room = box.clientWidth - SCALE_ROOM_PX;
    labels.replaceChildren(
      ...meridians.filter((x) => { const at = map.project([x, south]).x; return at > LABEL_HALF_PX && at < room - LABEL_HALF_PX; }).map((x) => label("east", x, "left", map.project([x, south]).x, x < 0 ? "W" : "E", step)),
      ...parallels.filter((y) => { const at = map.project([west, y]).y; return at > LABEL_HIGH_PX && at < box.clientHeight - 3 * LABEL_HIGH_PX; }).map((y) => label("north", y, "top", map.project([west, y]).y, y < 0 ? "S" : "N", step)),
    );
  };
  map.on("move", place);
  map.on("resize", place);
  place();
}

function label(kind, degrees, side, offset, letter, step) {
  const places = Math.max(0, Math.ceil(-Math.log10(step)));
  const element = document.createElement("span");
  element.className = `grid-label ${kind}`;
  element.textContent = `${Math.abs(degrees).toFixed(places)}°\u202f${letter}`;
  element.style[side] = `${offset}px`;
  return element;
}
