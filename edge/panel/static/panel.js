// Keeps what is shown of now; says so when the gateway does not answer. Makes the digits of the PIN.
const EVERY_MS = 1000;
const OLD_MS = 3000;
const live = document.querySelector("[data-live]");
let heard = Date.now();
let shown = "";

async function refresh() {
  const ending = new AbortController();
  const timer = setTimeout(() => ending.abort(), OLD_MS);
  try {
    const answer = await fetch(live.dataset.live, { signal: ending.signal, cache: "no-store" });
    if (answer.ok) {
      const text = await answer.text();
      if (shown !== text) {
        const focused = document.activeElement && live.contains(document.activeElement) && document.activeElement.id;
        live.innerHTML = text;
        shown = text;
        if (focused) document.getElementById(focused)?.focus();
      }
      heard = Date.now();
    }
  } catch {
    // It is told below, by how long ago the last answer was.
  } finally {
    clearTimeout(timer);
  }
  document.body.classList.toggle("is-old", Date.now() - heard > OLD_MS);
  setTimeout(refresh, EVERY_MS);
}

if (live) refresh();

const keys = document.querySelector("[data-keys]");
const pin = document.getElementById("pin");
if (keys && pin) {
  const press = (label, act, name) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = label;
    if (name) button.setAttribute("aria-label", name);
    button.addEventListener("click", () => {
      act();
      pin.focus();
      pin.setSelectionRange(pin.value.length, pin.value.length);
    });
    keys.append(button);
  };
  for (const digit of "1234567890") press(digit, () => { pin.value += digit; });
  press("⌫", () => { pin.value = pin.value.slice(0, -1); }, keys.dataset.keys);
}

// Who leaves a page with a form alone is taken back to what is now.
const home = document.querySelector("[data-home]");
if (home) setTimeout(() => { location.assign("/"); }, Number(home.dataset.home) * 1000);
