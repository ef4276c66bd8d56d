// The code stands behind the #, so that neither logs nor other sites see it; it leaves this page in a POST only.
function take() {
  const code = location.hash.slice(1);
  if (!code) return;
  history.replaceState(null, "", location.pathname);
  document.getElementById("code").value = code;
  document.getElementById("login").submit();
}

addEventListener("hashchange", take); // a link pasted into this tab does not load the page again
take();
