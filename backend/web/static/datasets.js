import { api, copy, say, set } from "/static/api.js";
import { t } from "/static/words.js";

const at = (id) => document.getElementById(id);
const PAGE = 100;

function row(one) {
  const [element, part] = copy("dataset");
  set(part.name, one.name);
  set(part.images, one.images.toLocaleString());
  set(part.source, one.source);
  set(part.created, new Date(one.created).toLocaleString());
  part.created.dateTime = one.created;
  part.download.href = one.links.download;
  part.download.setAttribute("aria-label", t("Download {name}", { name: one.name }));
  part.augment.href = `/export?dataset=${encodeURIComponent(one.name)}`;
  part.augment.setAttribute("aria-label", t("Augment {name}", { name: one.name }));
  return element;
}

async function more() {
  at("more").disabled = true;
  try {
    const found = await api(`/datasets?limit=${PAGE}&offset=${at("datasets").children.length}`);
    at("datasets").append(...found.datasets.map(row));
    const shown = at("datasets").children.length;
    at("table").hidden = !shown;
    at("more").hidden = !found.datasets.length || shown >= found.total;
    const words = t("{shown} of {total} shown, newest first", { shown, total: found.total });
    say(at("status"), found.total ? words : t("No dataset was made yet."), "text-body-secondary mb-3");
  } catch (error) {
    say(at("status"), error);
  }
  at("more").disabled = false;
}

at("more").addEventListener("click", more);
await more();
