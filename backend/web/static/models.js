import { ACTIVE, api, copy, follow, progressText, say, set, showBar } from "/static/api.js";

const at = (id) => document.getElementById(id);
const chosen = () => Number(at("project").value);
const wanted = new URLSearchParams(location.search).get("project");

function number(value) {
  return value === null || value === undefined ? "" : value.toFixed(3);
}

function interval(metrics, name) {
  const between = metrics[`${name}_ci`];
  const range = between ? ` (${number(between[0])} to ${number(between[1])})` : "";
  return `${number(metrics[name])}${range}`;
}

function row(model) {
  const [element, part] = copy("model");
  const used = model.predicts_in.includes(chosen());
  set(part.version, model.version);
  part.used.hidden = !used;
  set(part.made, new Date(model.created).toLocaleString());
  set(part.ap, interval(model.metrics, "ap"));
  set(part.ap50, interval(model.metrics, "ap50"));
  set(part.note, model.there ? (model.note ?? "") : "its files are gone");
  part.promote.hidden = used || !model.there;
  part.promote.setAttribute("aria-label", `Use ${model.version}`);
  part.promote.addEventListener("click", () =>
    act(() => api(`/models/${model.version}/promote`, { method: "POST", body: { project: chosen() } }), "in use now"),
  );
  return element;
}

async function show() {
  const project = chosen();
  const [detector, { models }] = await Promise.all([
    api(`/projects/${project}/detector`),
    api(`/models?project=${project}`),
  ]);
  at("detector").value = detector.detector;
  able();
  at("options").value = Object.keys(detector.options).length ? JSON.stringify(detector.options, null, 2) : "";
  set(at("now"), detector.version ? `${detector.version} predicts here.` : "Nothing is predicted here yet.");
  set(
    at("hint"),
    detector.version
      ? "Train again after more labels: the new version is used only if it is better on images neither has seen."
      : "Label some images (10 boxes at least; 20 images or more are better), then train. It takes some minutes.",
  );
  at("models").replaceChildren(...models.map(row));
  at("table").hidden = !models.length;
  at("none").hidden = models.length > 0;
  at("back").hidden = models.length < 2;
  at("one").hidden = false;
}

async function act(ask, done) {
  try {
    await ask();
    await show();
    say(at("told"), done, "alert alert-success");
  } catch (error) {
    say(at("told"), error);
  }
}

function options() {
  try {
    return JSON.parse(at("options").value.trim() || "{}");
  } catch (error) {
    throw new Error(`the options are not JSON: ${error.message}`);
  }
}

async function saveDetector() {
  const body = { detector: at("detector").value, options: options() };
  return api(`/projects/${chosen()}/detector`, { method: "PUT", body });
}

function able() {
  const { learns, adds } = at("detector").selectedOptions[0].dataset;
  at("train").hidden = learns === undefined;
  at("add").hidden = adds === undefined;
}

async function run(kind, makeBody) {
  const buttons = [at("train"), at("add"), at("predict")];
  for (const button of buttons) button.disabled = true;
  try {
    if (kind === "fit") await saveDetector();
    say(at("told"), "");
    const asked = await api(`/${kind}`, { method: "POST", body: makeBody() });
    at("job").href = `/jobs?job=${asked.id}`;
    at("running").hidden = false;
    const job = await follow(asked.id, (seen) => {
      showBar(at("bar"), seen);
      set(at("phase"), ACTIVE.includes(seen.state) ? progressText(seen) : seen.state);
    });
    await show();
    if (job.state !== "done") throw new Error([job.error ?? job.state, job.fix].filter(Boolean).join("\n"));
    say(at("told"), told(kind, job.result), "alert alert-success");
  } catch (error) {
    say(at("told"), error);
  } finally {
    at("running").hidden = true;
    for (const button of buttons) button.disabled = false;
  }
}

function told(kind, result) {
  if (kind === "add-model") return `${result.model} predicts now.`;
  if (kind === "fit") return `${result.model}: ${result.promoted ? "it predicts now" : "it is kept, not used"}. ${result.note ?? ""}`;
  return Object.entries(result.counts ?? {})
    .map(([name, value]) => `${name.replaceAll("_", " ")}: ${value}`)
    .join(" · ");
}

at("detector").addEventListener("change", able);
at("project").addEventListener("change", () => act(show, ""));
at("save").addEventListener("click", () => act(saveDetector, "saved"));
at("train").addEventListener("click", () =>
  run("fit", () => ({ project: chosen(), fast: at("fast").checked, predict: at("then").checked })),
);
at("add").addEventListener("click", () =>
  run("add-model", () => ({ project: chosen(), detector: at("detector").value, options: options() })),
);
at("predict").addEventListener("click", () => run("predict", () => ({ project: chosen() })));
at("back").addEventListener("click", () =>
  act(() => api(`/projects/${chosen()}/models/rollback`, { method: "POST" }), "the version before is in use again"),
);

/** Return a project in which a model predicts, the newest model's first. */
async function withModel(projects) {
  const { models } = await api("/models");
  const used = models.flatMap((model) => model.predicts_in);
  return used.find((id) => projects.some((project) => project.id === id));
}

try {
  const { projects } = await api("/projects");
  at("project").replaceChildren(...projects.map((one) => new Option(`${one.title} (${one.id})`, one.id)));
  at("project").disabled = !projects.length;
  const there = projects.some((one) => String(one.id) === wanted);
  say(at("status"), projects.length ? "" : "Label Studio has no projects yet.");
  if (wanted && !there) say(at("status"), `there is no project ${wanted}`, "alert alert-warning");
  if (there) at("project").value = wanted;
  else if (projects.length) at("project").value = (await withModel(projects)) ?? projects[0].id;
  if (projects.length) await show();
} catch (error) {
  say(at("status"), error, "alert alert-warning");
}
