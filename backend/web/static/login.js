// The code stands behind the #, so that neither logs nor other sites see it; it leaves this page in a POST only.
const code = location.hash.slice(1);
if (code) {
  history.replaceState(null, "", location.pathname);
  document.getElementById("code").value = code;
  document.getElementById("login").submit();
}
