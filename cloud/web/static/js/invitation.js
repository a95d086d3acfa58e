// Takes the code of an invitation and the login it is for from behind the # of the address, which browsers
// send to nobody.

const field = document.getElementById("code");
const [code, login] = location.hash.slice(1).split("&");
if (field && code) {
  field.value = code;
  history.replaceState(null, "", location.pathname + location.search);
}
const named = document.getElementById("login");
if (named && login) {
  named.value = login;
  named.parentElement.hidden = false;
}
