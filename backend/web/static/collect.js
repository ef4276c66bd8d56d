import { ACTIVE, api, copy, follow, progressText, say, set } from "/static/api.js";
import { offerTargets, target } from "/static/target.js";

const at = (id) => document.getElementById(id);
const ASKED = {
  keyword: "Keywords, one a line",
  address: "Addresses of web pages, one a line",
  list: "Files of image addresses in the data folder's folder lists, one a line",
  folder: "Folders of images in the data folder's folder lists, one a line",
};
let sources = [];
let current = null; // the job that is shown

const boxes = () => [...document.querySelectorAll('input[name="source"]')];
const chosen = () => boxes().filter((box) => box.checked).map((box) => box.value);
const takes = (name) => sources.find((one) => one.name === name).takes;

function sourceBox(one, index) {
  const [element, part] = copy("source");
  part.box.id = `source-${index}`;
  part.label.htmlFor = part.box.id;
  part.box.value = one.name;
  part.box.disabled = !one.ready;
  set(part.name, one.name);
  set(part.summary, one.summary);
  if (!one.ready) {
    part.note.hidden = false;
    set(part.detail, one.detail);
    set(part.fix, one.fix ?? "");
    part.note.id = `source-note-${index}`;
    part.box.setAttribute("aria-describedby", part.note.id);
  }
  part.box.addEventListener("change", () => sourceChosen(part.box));
  return element;
}

/** Keep only sources that are asked with the same kind of thing. */
function sourceChosen(changed) {
  if (changed.checked) {
    const left = boxes().filter((box) => box.checked && takes(box.value) !== takes(changed.value));
    for (const box of left) box.checked = false;
    const names = left.map((box) => box.value).join(", ");
    set(at("sources-note"), names ? `${names}: not at the same time, as it is asked differently.` : "");
  }
  const [first] = chosen();
  set(at("lines-label"), ASKED[first ? takes(first) : "keyword"]);
}

async function loadSources() {
  try {
    const found = await api("/sources");
    sources = found.sources;
    at("sources").replaceChildren(...sources.map(sourceBox));
    for (const box of boxes()) box.checked = !box.disabled && found.default.includes(box.value);
    set(at("sources-note"), "");
  } catch (error) {
    say(at("sources-note"), error, "alert alert-warning");
  }
}

/** Return what the lines ask for, as the API takes it. */
function wanted() {
  const labels = new Map();
  const keywords = [];
  const [first] = chosen();
  const split = !first || takes(first) === "keyword";
  for (const line of at("lines").value.split("\n").map((text) => text.trim()).filter(Boolean)) {
    const equals = line.search(/\s*=\s*/u);
    const address = /^https?:\/\//iu.test(line); // its = is not ours
    if (equals < 0 || address) {
      keywords.push(line);
      continue;
    }
    const label = line.slice(0, line.indexOf("=")).trim();
    const rest = line.slice(line.indexOf("=") + 1);
    const queries = (split ? rest.split(",") : [rest]).map((text) => text.trim()).filter(Boolean);
    if (!label) throw new Error(`"${line}": there is no label before the = sign.`);
    labels.set(label, [...(labels.get(label) ?? []), ...(queries.length ? queries : [label])]);
  }
  if (!labels.size && !keywords.length) {
    at("lines").focus();
    throw new Error("Write what to look for, one keyword a line.");
  }
  const body = {};
  if (labels.size) body.labels = [...labels].map(([label, queries]) => ({ label, queries }));
  if (keywords.length) body.keywords = keywords;
  return body;
}

function whole(id) {
  const text = at(id).value.trim();
  if (!text && !at(id).validity.badInput) return null;
  if (!/^\d+$/.test(text) || Number(text) < 1) {
    at(id).closest("details")?.setAttribute("open", "");
    at(id).focus();
    throw new Error(`${document.querySelector(`label[for="${id}"]`).textContent}: write a number from 1, or nothing.`);
  }
  return Number(text);
}

function order() {
  const body = { ...wanted(), ...target(), near: at("near").value };
  if (!chosen().length) throw new Error("Choose at least one source.");
  body.sources = chosen();
  const count = whole("count");
  if (count) body.count = count;
  const licenses = [...document.querySelectorAll('input[name="license"]:checked')].map((box) => box.value);
  if (licenses.length) body.licenses = licenses;
  const options = {};
  if (whole("side")) options.min_side = whole("side");
  if (at("gps").checked) options.keep_gps = true;
  if (Object.keys(options).length) body.options = options;
  if (at("name").value.trim()) body.name = at("name").value.trim();
  if (body.project || body.title) body.review = at("review").checked;
  return body;
}

function showCounts(found) {
  const { counts, reasons } = found;
  for (const key of ["found", "kept", "rejected"]) set(at(`n-${key}`), counts[key].toLocaleString());
  at("reasons-table").hidden = !reasons.length;
  const rows = reasons.map((one) => {
    const [element, part] = copy("reason");
    set(part.text, one.text);
    set(part.count, one.count.toLocaleString());
    return element;
  });
  at("reasons").replaceChildren(...rows);
  const asked = found.labels.reduce((sum, label) => sum + (label.wanted ?? NaN), 0);
  if (asked) {
    at("bar").max = asked;
    at("bar").value = Math.min(counts.kept, asked);
  } else if (current && ACTIVE.includes(current.state)) {
    at("bar").removeAttribute("value");
  } else {
    at("bar").max = at("bar").value = 1;
  }
  at("look").hidden = !counts.kept;
}

async function look(job) {
  try {
    const found = await api(job.links.collection.replace("/api/v1", ""));
    showCounts(found);
    at("look").href = found.links.page;
  } catch (error) {
    if (error.document?.status !== 404) throw error; // it is not begun yet
  }
}

async function seen(job) {
  current = job;
  set(at("phase"), ACTIVE.includes(job.state) ? progressText(job) : job.state);
  at("cancel").hidden = !["queued", "running"].includes(job.state);
  at("resume").hidden = !["failed", "cancelled"].includes(job.state);
  await look(job);
}

function ended(job) {
  if (job.state === "cancelled") return say(at("ended"), "Stopped. What is kept stays; resume goes on from here.", "alert alert-warning");
  if (job.state !== "done") return say(at("ended"), new Error([job.error ?? job.state, job.fix].filter(Boolean).join("\n")));
  const { warnings = [], imported, state } = job.result;
  const done = imported ? `${imported.created} tasks were made, ${imported.present} were there already.` : "Done.";
  if (job.links.project) {
    at("open").href = job.links.project;
    at("open").hidden = false;
  }
  return say(at("ended"), [done, ...warnings].join("\n"), state === "short" ? "alert alert-warning" : "alert alert-success");
}

async function watch(job) {
  current = job;
  at("idle").hidden = true;
  at("running").hidden = false;
  at("open").hidden = true;
  say(at("ended"), "");
  set(at("what"), decodeURIComponent(job.links.collection.split("/").pop()));
  at("job").href = `/jobs?job=${job.id}`;
  at("run").disabled = true;
  at("running").scrollIntoView({ block: "nearest" });
  try {
    const last = await follow(job.id, (now) => void seen(now).catch((error) => say(at("message"), error)));
    await seen(last);
    ended(last);
  } catch (error) {
    say(at("message"), error);
  }
  at("run").disabled = false;
}

async function run(event) {
  event.preventDefault();
  say(at("message"), "");
  at("run").disabled = true; // the second click of a double click asks for nothing
  try {
    const job = await api("/collect", { method: "POST", body: order() });
    history.replaceState(null, "", `/collect?job=${job.id}`);
    await watch(job);
  } catch (error) {
    say(at("message"), error);
    at("message").scrollIntoView({ block: "nearest" });
  }
  at("run").disabled = false;
}

async function act(verb) {
  try {
    const job = await api(`/jobs/${current.id}/${verb}`, { method: "POST" });
    if (verb === "resume") await watch(job);
  } catch (error) {
    say(at("ended"), error);
  }
}

at("form").addEventListener("submit", run);
at("cancel").addEventListener("click", () => act("cancel"));
at("resume").addEventListener("click", () => act("resume"));

const query = new URLSearchParams(location.search);
await Promise.all([
  loadSources(),
  offerTargets(query.get("project"), (value) => (at("import-part").hidden = !value)),
]);
if (query.has("job")) {
  try {
    const job = await api(`/jobs/${encodeURIComponent(query.get("job"))}`);
    if (job.kind === "collect") await watch(job);
  } catch (error) {
    say(at("message"), error);
  }
}
