// Takes the code of an invitation from behind the # of the address, which browsers send to nobody.

const field = document.getElementById("code");
const code = location.hash.slice(1);
if (field && code) {
  field.value = code;
  history.replaceState(null, "", location.pathname + location.search);
}
