// Sends the form of a rehearsal and shows the answer as it comes: how far it is, then when it would have tripped.

const form = document.getElementById("rehearsal");
const result = document.getElementById("result");
const said = document.getElementById("said");
const bar = result.querySelector("progress");
const table = result.querySelector("table");

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const button = form.querySelector("button");
  button.disabled = true;
  result.hidden = bar.hidden = false;
  bar.value = 0;
  said.textContent = "";
  said.removeAttribute("lang");
  table.hidden = true;
  const ended = await follow().catch(() => false);
  if (!ended) said.textContent = said.dataset.lost;
  bar.hidden = true;
  button.disabled = false;
});

/** Read the answer line by line; whether it came to its end. */
async function follow() {
  const answer = await fetch(form.action, { method: "POST", body: new URLSearchParams(new FormData(form)) });
  if (!answer.ok) return false;
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  let ended = false;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return ended;
    const lines = (rest + value).split("\n");
    rest = lines.pop();
    for (const line of lines) ended = take(JSON.parse(line)) || ended;
  }
}

function take(one) {
  if ("done" in one) { bar.value = one.done; return false; }
  if ("refused" in one) { said.lang = "en"; said.textContent = one.refused; return true; }
  const words = said.dataset;
  const judged = one.judged_from ? words.from.replace("%(time)s", one.judged_from) : words.never;
  const count = one.count ? words.some.replace("%(count)s", one.count) : one.judged_from ? words.none : "";
  said.textContent = `${judged} ${count}`;
  table.hidden = !one.count;
  table.tBodies[0].replaceChildren(...one.trips.map(row));
  return true;
}

function row(trip) {
  const line = document.createElement("tr");
  for (const text of [trip.at, trip.until ?? said.dataset.open, trip.lasted_s ?? "", trip.first_out]) line.insertCell().textContent = text;
  return line;
}
