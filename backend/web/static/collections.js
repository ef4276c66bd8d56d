import { api, copy, count, say, set } from "/static/api.js";

const at = (id) => document.getElementById(id);
const PAGE = 200;

function row(one) {
  const [element, part] = copy("collection");
  set(part.name, one.name);
  part.name.href = one.links.page;
  set(part.labels, one.labels.filter(Boolean).join(", ") || "without");
  set(part.sources, one.sources.join(", "));
  set(part.kept, one.counts.kept.toLocaleString());
  set(part.rejected, one.counts.rejected.toLocaleString());
  set(part.state, one.state);
  return element;
}

try {
  const found = await api(`/collections?limit=${PAGE}`);
  at("collections").replaceChildren(...found.collections.map(row));
  at("table").hidden = !found.total;
  const more = found.total > PAGE ? `, the newest ${PAGE} are shown` : "";
  say(at("status"), found.total ? `${count(found.total, "collection")}${more}` : "Nothing was collected yet.", "text-body-secondary mb-3");
} catch (error) {
  say(at("status"), error);
}
