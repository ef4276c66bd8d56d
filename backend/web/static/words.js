// The words of the page's language: `t` looks a text up and fills in {names}.

const language = document.documentElement.lang;

async function load() {
  if (language === "en") return {};
  try {
    return await (await fetch(`/messages/${language}.json`)).json();
  } catch {
    return {}; // English is better than nothing
  }
}

const catalogue = await load();

function fill(text, values) {
  return text.replace(/\{(\w+)\}/g, (whole, name) => (name in values ? String(values[name]) : whole));
}

/** Return a text in the page's language, with {name} replaced by values.name. Write it out where you call: tools collect the texts from the code. */
export function t(text, values = {}) {
  return fill(catalogue[text] || text, values);
}

/** Return the text for one, or for many, with {n} replaced by the number. Korean has one form for both. */
export function n(one, many, number, values = {}) {
  return fill(catalogue[one] || (number === 1 ? one : many), { n: number, ...values });
}
