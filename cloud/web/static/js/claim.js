// Proposes the id that goes with the chosen site, as long as nobody has typed another one.

const site = document.getElementById("claim-site");
const id = document.getElementById("claim-id");

site?.addEventListener("change", () => {
  const proposed = [...site.options].some((one) => one.dataset.id === id.value);
  if (proposed || !id.value) id.value = site.selectedOptions[0].dataset.id;
});
