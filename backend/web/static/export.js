import { api, copy, count, follow, progressText, say, set, showBar } from "/static/api.js";
import { show } from "/static/live.js";

const at = (id) => document.getElementById(id);
const query = new URLSearchParams(location.search);
let document_ = null; // the checked recipe as a document, or null while it is invalid
let checks = 0;
const RECIPE_NAME = /^[\p{L}\p{N}_](?:[\p{L}\p{N}_ .-]{0,62}[\p{L}\p{N}_])?$/u;

function option(value, text) {
  const element = document.createElement("option");
  element.value = value;
  element.textContent = text;
  return element;
}

async function loadSources() {
  const group = (label, options) => {
    const element = document.createElement("optgroup");
    element.label = label;
    element.append(...options);
    return element;
  };
  const [projects, datasets] = await Promise.allSettled([api("/projects"), api("/datasets?limit=200")]);
  if (projects.status === "fulfilled") {
    const options = projects.value.projects.map((p) => option(`project:${p.id}`, `${p.title} (${count(p.tasks, "task")})`));
    at("source").append(group("Projects in Label Studio", options));
  } else {
    say(at("source-note"), projects.reason, "alert alert-warning mt-2");
  }
  if (datasets.status === "fulfilled") {
    const options = datasets.value.datasets.map((d) => option(`dataset:${d.name}`, `${d.name} (${count(d.images, "image")})`));
    at("source").append(group("Datasets", options));
  }
  chooseWanted(projects.status === "fulfilled");
  if (query.has("tasks")) {
    at("which-ids").checked = true;
    at("chosen").value = query.get("tasks");
  }
  showChoice();
}

/** Select what the address asks for; another one is never taken in its place. */
function chooseWanted(projectsKnown) {
  const kind = ["project", "dataset"].find((name) => query.has(name));
  if (!kind) return;
  const wanted = `${kind}:${query.get(kind)}`;
  if (![...at("source").options].some((one) => one.value === wanted)) {
    at("source").prepend(option("", "Choose a project or a dataset"));
    at("source").value = "";
    const told = kind === "dataset" || projectsKnown; // else the note says why projects are not known
    if (told) say(at("source-missing"), new Error(`there is no ${kind} ${query.get(kind)}`));
    return;
  }
  at("source").value = wanted;
}

function which() {
  return document.querySelector('input[name="which"]:checked').value;
}

function showChoice() {
  const project = at("source").value.startsWith("project:");
  at("which").disabled = !project;
  at("title").disabled = !project;
  at("chosen").disabled = !project || which() === "all";
  at("run").disabled = at("preview").disabled = !at("source").value;
  look();
}

/** Have the live preview follow the recipe and the source. */
function look() {
  show(document_ && at("source").value ? { ...source(), recipe: document_ } : null);
}

function numbers(text) {
  const found = [];
  for (const part of text.split(/[\s,]+/).filter(Boolean)) {
    const match = /^(\d+)(?:-(\d+))?$/.exec(part);
    if (!match) throw new Error(`"${part}" is not a task number; write 1, 2, 5-9`);
    const [first, last] = [Number(match[1]), Number(match[2] ?? match[1])];
    if (last - first > 100000) throw new Error(`"${part}" are too many tasks`);
    for (let number = first; number <= last; number += 1) found.push(number);
  }
  if (!found.length) throw new Error("Give the numbers of the tasks, or choose all.");
  return found;
}

function source() {
  const [kind, name] = [at("source").value.split(":", 1)[0], at("source").value.split(":").slice(1).join(":")];
  if (!name) throw new Error("Choose a project or a dataset first.");
  return kind === "project" ? { project: Number(name) } : { dataset: name };
}

/** Return which tasks of a project are meant, as the API takes it. */
function choice() {
  if (at("source").value.startsWith("dataset:") || which() === "all") return {};
  if (which() === "ids") return { tasks: numbers(at("chosen").value) };
  const labels = at("chosen").value.split(",").map((label) => label.trim()).filter(Boolean);
  if (!labels.length) throw new Error("Give labels, or choose all.");
  return { labels };
}

function order() {
  if (!document_) throw new Error("Correct the recipe first.");
  const formats = [...document.querySelectorAll('input[name="format"]:checked')].map((box) => box.value);
  const body = { ...source(), ...choice(), recipe: document_, formats };
  if (at("name").value.trim()) body.name = at("name").value.trim();
  if (body.dataset) return ["augment", body];
  if (at("title").value.trim()) body.write_back = at("title").value.trim();
  return ["export", body];
}

async function loadRecipes() {
  const { recipes } = await api("/recipes");
  at("recipe").replaceChildren(...recipes.map((r) => option(r.name, r.about ? `${r.name}: ${r.about}` : r.name)));
  const wanted = query.get("recipe") ?? "gentle";
  if (recipes.some((recipe) => recipe.name === wanted)) at("recipe").value = wanted;
  await takeRecipe();
}

async function takeRecipe() {
  const recipe = await api(`/recipes/${encodeURIComponent(at("recipe").value)}`);
  at("text").value = recipe.text;
  at("save-as").value = recipe.own ? recipe.name : `my-${recipe.name}`;
  await check();
}

async function check() {
  const mine = (checks += 1);
  document_ = null;
  let verdict;
  try {
    verdict = await api("/recipes/validate", { method: "POST", body: { text: at("text").value } });
  } catch (error) {
    if (mine === checks) say(at("verdict"), error);
    return;
  }
  if (mine !== checks) return; // the text was changed meanwhile
  document_ = verdict.recipe;
  at("text").classList.toggle("is-invalid", !verdict.valid);
  const words = verdict.valid ? "The recipe is valid." : verdict.problems.map((problem) => `- ${problem}`).join("\n");
  say(at("verdict"), words, verdict.valid ? "text-success" : "text-danger");
  look();
}

let timer = 0;
function checkSoon() {
  document_ = null;
  clearTimeout(timer);
  timer = setTimeout(check, 400);
}

async function drawSheet(caption, body) {
  const [element, part] = copy("sheet");
  at("sheets").append(element);
  set(part.caption, `${caption}.`);
  part.bar.setAttribute("aria-label", caption);
  try {
    const begun = await api("/preview", { method: "POST", body });
    const job = await follow(begun.id, (now) => {
      set(part.state, progressText(now));
      showBar(part.bar, now);
    });
    part.bar.hidden = true;
    if (job.state !== "done") throw new Error([job.error ?? job.state, job.fix].filter(Boolean).join("\n"));
    set(part.state, `${count(job.result.images, "image")}, ${Math.round(job.seconds)} s`);
    part.open.href = job.links.sheet;
    part.open.hidden = false;
    part.picture.alt = `Contact sheet: ${caption}`;
    part.picture.src = job.links.sheet;
  } catch (error) {
    part.bar.hidden = true;
    say(part.state, error);
  }
}

async function preview() {
  try {
    if (!document_) throw new Error("Correct the recipe first.");
    const body = { ...source(), ...choice(), recipe: document_ };
    say(at("message"), "");
    at("sheets").replaceChildren();
    at("preview").disabled = true;
    await Promise.all([
      drawSheet("Originals beside their variants", body),
      drawSheet("The worst cases: what the recipe damages most", { ...body, worst: true }),
    ]);
  } catch (error) {
    say(at("message"), error);
  }
  at("preview").disabled = false;
}

async function run(event) {
  event.preventDefault();
  at("run").disabled = true;
  try {
    const [verb, body] = order();
    const headers = { "Idempotency-Key": crypto.randomUUID?.() ?? `${Date.now()}-${Math.random()}` };
    const job = await api(`/${verb}`, { method: "POST", body, headers });
    location.assign(`/jobs?job=${job.id}`);
  } catch (error) {
    say(at("message"), error);
    at("run").disabled = false;
  }
}

async function save() {
  try {
    const name = at("save-as").value.trim();
    if (!RECIPE_NAME.test(name)) {
      throw new Error(`"${name}" is not a recipe's name: write letters, digits, spaces, dots, dashes, underscores`);
    }
    await api(`/recipes/${encodeURIComponent(name)}`, { method: "PUT", body: { text: at("text").value } });
    say(at("saved"), `Saved as ${name}.`, "text-success");
  } catch (error) {
    say(at("saved"), error);
  }
}

at("source").addEventListener("change", () => {
  say(at("source-missing"), "");
  showChoice();
});
for (const radio of document.querySelectorAll('input[name="which"]')) radio.addEventListener("change", showChoice);
at("recipe").addEventListener("change", takeRecipe);
at("text").addEventListener("input", checkSoon);
at("preview").addEventListener("click", preview);
at("save").addEventListener("click", save);
at("form").addEventListener("submit", run);
loadSources();
loadRecipes().catch((error) => say(at("verdict"), error));
