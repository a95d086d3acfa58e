// The table that says the same as a chart: readings and gaps in order of time, for screen readers and for copying.

const words = JSON.parse(document.getElementById("words").textContent);
const ROWS_MAX = 500;

function row(cells, tag = "td") {
  const line = document.createElement("tr");
  cells.forEach((text, i) => {
    const cell = document.createElement(i === 0 ? "th" : tag);
    if (i === 0) cell.scope = tag === "th" ? "col" : "row";
    else if (tag === "th") cell.scope = "col";
    cell.textContent = text;
    line.append(cell);
  });
  return line;
}

function readingRow(chart, i) {
  const { times, value, low, high, status } = chart.data;
  const written = value[i] === null ? words.absent : chart.text(value[i], chart.data.value_exponent);
  return { at: times[i], cells: [chart.clock(times[i]), written, low[i] === null ? "" : chart.text(low[i]), high[i] === null ? "" : chart.text(high[i]), status[i]] };
}

/** Fill `box` with the newest rows of the chart's data, gaps among the readings. */
export function fillTable(box, chart) {
  const { times, holes } = chart.data;
  const rows = [
    ...times.map((_, i) => readingRow(chart, i)),
    ...holes.map((hole) => ({ at: hole.from, cells: [chart.clock(hole.from), chart.holeText(hole), "", "", words.gap] })),
  ].sort((a, b) => b.at - a.at);
  const table = document.createElement("table");
  const caption = table.createCaption();
  caption.className = rows.length > ROWS_MAX ? "quiet" : "out-of-sight";
  caption.textContent = rows.length > ROWS_MAX ? words.newest_rows.replace("%(count)s", ROWS_MAX) : chart.figure.querySelector("h3").textContent;
  table.createTHead().append(row([words.time, words.value, words.lowest, words.highest, words.remark], "th"));
  table.createTBody().append(...rows.slice(0, ROWS_MAX).map(({ cells }) => row(cells)));
  box.replaceChildren(table);
}
