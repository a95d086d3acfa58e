// Groups of values and charts: on a phone those without a remark begin folded, on a desk all are open.
// What a reader folds or opens stays so in this tab. A plain script, so that it has run before the page is seen.
// Without it everything is open.

(() => {
  const narrow = matchMedia("(max-width: 48rem)").matches;
  const key = (fold) => `heng:${location.pathname}:${fold.dataset.fold}`;

  /** What was chosen in this tab before; nothing where the browser keeps nothing. */
  const remembered = (fold) => {
    try {
      return sessionStorage.getItem(key(fold));
    } catch {
      return null;
    }
  };

  const remember = (fold, open) => {
    try {
      sessionStorage.setItem(key(fold), open ? "open" : "folded");
    } catch {
      // The choice lasts as long as the page.
    }
  };

  const reveal = () => {
    const aim = location.hash.length > 1 && document.getElementById(location.hash.slice(1));
    const fold = aim && aim.closest("details[data-fold]");
    if (!fold || fold.open) return;
    fold.open = true;
    aim.scrollIntoView();
  };

  for (const fold of document.querySelectorAll("details[data-fold]")) {
    const before = remembered(fold);
    if ("keep" in fold.dataset) fold.open = true;
    else if (before !== null) fold.open = before === "open";
    else if (narrow) fold.open = false;
    fold.firstElementChild.addEventListener("click", () => remember(fold, !fold.open));
  }
  addEventListener("hashchange", reveal);
  reveal();
})();
