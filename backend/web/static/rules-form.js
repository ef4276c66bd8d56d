// The form of a rule: what it holds as the API takes it, and its errors beside the fields they name.

import { api, Problem, say, set } from "/static/api.js";
import { t } from "/static/words.js";

const at = (id) => document.getElementById(id);
const form = at("form");
let editing = null; // the rule that is changed; null: a new one
let sending = false;
let key = "";
let numbers = false; // projects by number: Label Studio cannot be reached

const chosenWhen = () => form.querySelector('input[name="when"]:checked').value;
const ticked = () => [...form.querySelectorAll('input[name="format"]:checked')].map((box) => box.value);

/** What the form has a field for, of each kind of job: read writes parameters from the fields. */
const FIELDS = {
  export: {
    names: ["recipe", "formats", "write_back", "as_predictions"],
    read: () => ({
      ...(at("recipe").value ? { recipe: at("recipe").value } : {}),
      ...(ticked().length ? { formats: ticked() } : {}),
      ...(at("write-back").value.trim() ? { write_back: at("write-back").value.trim() } : {}),
      ...(at("as-predictions").checked ? { as_predictions: true } : {}),
    }),
  },
  fit: {
    names: ["fast", "predict"],
    read: () => ({ ...(at("fast").checked ? { fast: true } : {}), ...(at("then").checked ? { predict: true } : {}) }),
  },
};

function able() {
  for (const part of form.querySelectorAll("[data-when]")) part.hidden = part.dataset.when !== chosenWhen();
  for (const part of form.querySelectorAll("[data-kind]")) part.hidden = part.dataset.kind !== at("kind").value;
}

function when() {
  const chosen = chosenWhen();
  if (chosen === "at") return { at: at("at").value, zone: at("zone").value.trim() };
  if (chosen === "event") return { event: at("event").value };
  return { annotations: Number(at("annotations").value), changes: at("changes").checked };
}

function more() {
  try {
    const found = JSON.parse(at("params").value.trim() || "{}");
    if (found === null || typeof found !== "object" || Array.isArray(found)) throw new Error("{ ... }");
    return found;
  } catch (error) {
    const message = t("this is not a JSON object: {why}", { why: error.message });
    throw new Problem({ detail: message, errors: [{ field: "do.params", message }] });
  }
}

function body() {
  const kind = at("kind").value;
  const rule = {
    when: when(),
    quiet: Number(at("quiet").value),
    patience: Number(at("patience").value),
    derived: at("derived").checked,
    do: { kind, params: { ...more(), ...(FIELDS[kind]?.read() ?? {}) } },
  };
  if (editing) return rule;
  return { name: at("name").value.trim(), project: Number(at(numbers ? "project-number" : "project").value), ...rule };
}

function clear() {
  say(at("message"), "");
  for (const place of form.querySelectorAll("[data-wrong]")) set(place, "");
  for (const field of form.querySelectorAll("[aria-invalid]")) {
    field.removeAttribute("aria-invalid");
    field.classList.remove("is-invalid");
  }
}

/** Return where a field's error is shown: its own place, or the nearest one above it. */
function placeOf(field) {
  const parts = field.split(".");
  for (; parts.length; parts.pop()) {
    const found = form.querySelector(`[data-wrong="${CSS.escape(parts.join("."))}"]`);
    if (found) return found;
  }
  return null;
}

function refuse(error) {
  const errors = error.document?.errors ?? [];
  const lost = [];
  for (const { field, message: raw } of errors) {
    const message = raw.replace(/^Value error, /, "");
    const place = placeOf(field);
    if (!place || place.closest("[hidden]")) lost.push(`${field}: ${message}`);
    else mark(place, place.dataset.wrong === field ? message : `${field.slice(place.dataset.wrong.length + 1)}: ${message}`);
  }
  const fix = error.document?.fix ? t("What to do: {fix}", { fix: error.document.fix }) : "";
  const told = errors.length ? [t("Please correct what is marked."), ...lost, fix] : [error.message, fix];
  say(at("message"), told.filter(Boolean).join("\n"), "alert alert-danger");
  (form.querySelector('[aria-invalid="true"]') ?? at("save")).focus();
}

function mark(place, message) {
  set(place, [place.textContent, message].filter(Boolean).join("\n"));
  const details = place.closest("details") ?? (place.dataset.wrong === "do.params" ? at("more") : null);
  if (details) details.open = true;
  for (const field of form.querySelectorAll(`[aria-describedby~="${CSS.escape(place.id)}"]`)) {
    if (field.hidden) continue;
    field.setAttribute("aria-invalid", "true");
    field.classList.add("is-invalid");
  }
}

function random() {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Save once, however often the button is pressed. */
async function save(event, done) {
  event.preventDefault();
  if (sending) return;
  sending = true;
  at("save").disabled = true;
  clear();
  try {
    const made = editing
      ? await api(`/rules/${editing.id}`, { method: "PATCH", body: body() })
      : await api("/rules", { method: "POST", body: body(), headers: { "Idempotency-Key": key } });
    form.hidden = true;
    await done(made, !editing);
  } catch (error) {
    at("save").disabled = false;
    refuse(error);
  } finally {
    key = random();
    sending = false;
    at("save").disabled = false;
  }
}

function fillWhen({ annotations = null, changes = false, at: time = null, zone = "UTC", event = null }) {
  at(`when-${annotations ? "annotations" : time ? "at" : "event"}`).checked = true;
  at("annotations").value = annotations ?? 50;
  at("changes").checked = changes;
  at("at").value = time ?? "02:30";
  at("zone").value = time ? zone : Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";
  at("event").value = event ?? "annotation-updated";
}

function fillDo({ kind, params }) {
  at("kind").value = kind;
  const known = typeof params.recipe === "object" && params.recipe ? ["formats", "write_back", "as_predictions"] : FIELDS.export.names;
  const names = kind === "export" ? known : (FIELDS[kind]?.names ?? []);
  const recipe = typeof params.recipe === "string" ? params.recipe : "";
  if (recipe && ![...at("recipe").options].some((one) => one.value === recipe)) at("recipe").append(new Option(recipe, recipe));
  at("recipe").value = recipe;
  for (const box of form.querySelectorAll('input[name="format"]')) box.checked = (params.formats ?? []).includes(box.value);
  at("write-back").value = params.write_back ?? "";
  at("as-predictions").checked = params.as_predictions ?? false;
  at("fast").checked = params.fast ?? false;
  at("then").checked = params.predict === true;
  const rest = Object.fromEntries(Object.entries(params).filter(([name]) => !names.includes(name)));
  at("params").value = Object.keys(rest).length ? JSON.stringify(rest, null, 2) : "";
  at("more").open = Object.keys(rest).length > 0;
}

/** Open the form: for a new rule, or to change one. */
export function open(rule, project = "") {
  editing = rule;
  key = random();
  clear();
  const spec = rule?.spec ?? { when: { annotations: 50 }, quiet: 60, patience: 3600, derived: false, do: { kind: "export", params: {} } };
  set(at("form-title"), rule ? t("Change {name}", { name: rule.name }) : t("New rule"));
  at("name").value = rule?.name ?? "";
  const number = String(rule?.project ?? project);
  if (number && ![...at("project").options].some((one) => one.value === number)) at("project").append(new Option(number, number));
  if (number) at("project").value = number;
  at("project-number").value = number;
  for (const id of ["name", "project", "project-number"]) at(id).disabled = Boolean(rule);
  fillWhen(spec.when);
  fillDo(spec.do);
  at("quiet").value = spec.quiet;
  at("patience").value = spec.patience;
  at("derived").checked = spec.derived;
  able();
  form.hidden = false;
  at("form-title").focus();
}

/** Offer the projects, or a plain number where Label Studio does not answer. */
export function offerProjects(projects, error) {
  numbers = !projects;
  at("project").hidden = numbers;
  at("project-number").hidden = !numbers;
  document.querySelector('label[for^="project"]').htmlFor = numbers ? "project-number" : "project";
  if (projects) at("project").replaceChildren(...projects.map((one) => new Option(`${one.title} (${one.id})`, one.id)));
  else say(at("project-note"), t("Its number, as in its address; Label Studio says: {why}", { why: error.message }), "form-text");
}

/** Make the form work; `done(rule, isNew)` is called after it was saved. */
export async function prepare(done) {
  form.addEventListener("change", able);
  form.addEventListener("submit", (event) => save(event, done));
  at("close").addEventListener("click", () => {
    form.hidden = true;
    at("new").focus();
  });
  try {
    const { recipes } = await api("/recipes");
    at("recipe").append(...recipes.map((one) => new Option(one.name, one.name)));
  } catch (error) {
    say(at("told"), error);
  }
}
