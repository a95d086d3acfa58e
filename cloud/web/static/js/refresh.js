// Keeps fresh what the live stream does not carry: asks for this page again and takes over its part `#fresh`.
// It waits while somebody is inside that part by keyboard, so that nobody loses their place.

const EVERY_MS = Number(document.getElementById("fresh")?.dataset.every) || 10_000;

async function refresh() {
  const shown = document.getElementById("fresh");
  const selected = getSelection();
  const reading = !selected.isCollapsed && selected.containsNode(shown, true);
  if (document.hidden || shown.contains(document.activeElement) || reading) return;
  const answer = await fetch(shown.dataset.source).catch(() => null);
  if (!answer?.ok) return;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const fresh = page.getElementById("fresh");
  if (!fresh || fresh.isEqualNode(shown) || shown.contains(document.activeElement)) return;
  for (const fold of fresh.querySelectorAll("details[data-fold]")) {
    const before = shown.querySelector(`details[data-fold="${CSS.escape(fold.dataset.fold)}"]`);
    if (before) fold.open = before.open;
  }
  shown.replaceWith(document.adoptNode(fresh));
}

setInterval(refresh, EVERY_MS);
