import { api, arrange, copy, say, set, sure } from "/static/api.js";
import { n, t } from "/static/words.js";
import { offerProjects, open, prepare } from "/static/rules-form.js";

const at = (id) => document.getElementById(id);
const wanted = new URLSearchParams(location.search).get("project") ?? "";
const cards = new Map(); // rule id -> {element, part, rule}
const titles = new Map(); // project id -> title

function whenText({ annotations, changes, at: time, zone, event }) {
  if (annotations && changes) return t("after {count} new or changed annotations", { count: annotations });
  if (annotations) return t("after {count} new annotations", { count: annotations });
  if (time) return t("every day at {time} ({zone})", { time, zone });
  return t("on {event}", { event });
}

function doText({ kind, params }) {
  const by = params.recipe?.name ?? params.recipe;
  const parts = [kind];
  if (typeof by === "string") parts.push(t("by {recipe}", { recipe: by }));
  if (params.write_back) parts.push(t('to "{title}"', { title: params.write_back }));
  return parts.join(" ");
}

function makeCard(rule) {
  const [element, part] = copy("rule");
  const card = { element, part, rule };
  element.id = `rule-${rule.id}`;
  for (const [name, text] of [
    ["try", t("Try {name} out", { name: rule.name })],
    ["edit", t("Edit {name}", { name: rule.name })],
    ["remove", t("Delete {name}", { name: rule.name })],
    ["on", t("{name} is on", { name: rule.name })],
    ["job", t("The job that {name} would start", { name: rule.name })],
  ])
    part[name].setAttribute("aria-label", text);
  part.try.addEventListener("click", () => tryOut(card));
  part.edit.addEventListener("click", () => open(card.rule));
  part.remove.addEventListener("click", () => remove(card));
  part.on.addEventListener("change", () => turn(card));
  part.details.addEventListener("toggle", () => part.details.open && runs(card));
  return card;
}

function show(rule) {
  let card = cards.get(rule.id);
  if (!card) cards.set(rule.id, (card = makeCard(rule)));
  const { part } = card;
  card.rule = rule;
  set(part.name, rule.name);
  if (!part.on.disabled) part.on.checked = rule.enabled;
  set(part.state, rule.enabled ? t("on") : t("off"));
  set(part.says, `${whenText(rule.spec.when)}: ${doText(rule.spec.do)}`);
  const why = rule.reason ? (rule.enabled ? t("Now: {reason}", { reason: rule.reason }) : t("Off: {reason}", { reason: rule.reason })) : "";
  set(part.reason, [why, t("made by {who}", { who: rule.who })].filter(Boolean).join(" · "));
  return card.element;
}

function place(rules) {
  const groups = new Map();
  for (const rule of rules) groups.set(rule.project, [...(groups.get(rule.project) ?? []), show(rule)]);
  const there = new Set(rules.map((rule) => rule.id));
  for (const [id, card] of cards) if (!there.has(id)) cards.delete(id) && card.element.remove();
  const sections = [...groups].map(([project, elements]) => {
    const old = at(`project-${project}`);
    const [section, part] = old ? [old, { title: old.firstElementChild, cards: old.lastElementChild }] : copy("group");
    section.id = `project-${project}`;
    set(part.title, titles.has(project) ? `${titles.get(project)} (${project})` : t("Project {number}", { number: project }));
    arrange(part.cards, elements);
    return section;
  });
  arrange(at("rules"), sections);
}

async function refresh() {
  const only = at("only").value;
  const { rules } = await api(`/rules${only ? `?project=${only}` : ""}`);
  place(rules);
  const none = only ? t("This project has no rules yet.") : t("There are no rules yet.");
  say(at("status"), rules.length ? n("one rule", "{n} rules", rules.length) : none, "text-body-secondary");
}

async function act(card, ask) {
  try {
    await ask();
    say(at("told"), "");
  } catch (error) {
    say(at("told"), error);
    at("told").scrollIntoView({ block: "nearest" });
  }
}

async function turn(card) {
  const { part, rule } = card;
  part.on.disabled = true;
  await act(card, () => api(`/rules/${rule.id}`, { method: "PATCH", body: { enabled: part.on.checked } }));
  part.on.disabled = false;
  await act(card, async () => show(await api(`/rules/${rule.id}`)));
  part.on.focus();
}

async function tryOut(card) {
  const { part, rule } = card;
  part.try.disabled = true;
  say(part.trial, t("Comparing with Label Studio..."));
  part.job.hidden = true;
  try {
    const found = await api(`/rules/${rule.id}/test`, { method: "POST" });
    const would = found.would_run ? t("It would run now: {why}", { why: found.why }) : t("It would not run now: {why}", { why: found.why });
    say(part.trial, `${would}\n${t("Nothing was started. This is the job:")}`, `alert mb-2 ${found.would_run ? "alert-success" : "alert-secondary"}`);
    set(part.job, JSON.stringify(found.job, null, 2));
    part.job.hidden = false;
  } catch (error) {
    say(part.trial, error);
  }
  part.try.disabled = false;
  part.try.focus();
}

async function runs(card) {
  await act(card, async () => {
    const found = await api(`/rules/${card.rule.id}/runs`);
    card.part.runs.replaceChildren(...found.runs.map(run));
    card.part.table.hidden = !found.runs.length;
    card.part.none.hidden = found.runs.length > 0;
  });
}

function run(one) {
  const [element, part] = copy("run");
  set(part.at, new Date(one.at).toLocaleString());
  set(part.why, one.why);
  const wrote = one.wrote ? t("wrote project {number}", { number: one.wrote }) : "";
  set(part.outcome, [one.outcome ?? t("not finished"), one.detail, wrote].filter(Boolean).join(", "));
  part.link.hidden = !one.job;
  part.link.href = `/jobs?job=${encodeURIComponent(one.job ?? "")}`;
  set(part.link, one.job ?? "");
  return element;
}

async function remove(card) {
  const { name, id } = card.rule;
  if (!(await sure(t('Delete the rule "{name}" with its history? Jobs that it started stay.', { name })))) return;
  await act(card, async () => {
    await api(`/rules/${id}`, { method: "DELETE" });
    await refresh();
    at("new").focus();
  });
}

async function saved(rule, isNew) {
  if (isNew && at("only").value && at("only").value !== String(rule.project)) at("only").value = "";
  await refresh();
  const text = isNew ? t("{name} was added.", { name: rule.name }) : t("{name} was changed.", { name: rule.name });
  say(at("told"), [text, ...rule.warnings].join("\n"), "alert alert-success");
  cards.get(rule.id)?.part.edit.focus();
}

/** Learn the projects' titles; without Label Studio the page works with their numbers. */
async function learnProjects() {
  let projects = null;
  try {
    ({ projects } = await api("/projects"));
    for (const one of projects) titles.set(one.id, one.title);
    offerProjects(projects);
  } catch (error) {
    offerProjects(null, error);
  }
  const { rules } = await api("/rules");
  const known = new Set([...titles.keys(), ...rules.map((rule) => rule.project), ...(/^[1-9]\d{0,8}$/.test(wanted) ? [Number(wanted)] : [])]);
  at("only").append(...[...known].map((id) => new Option(titles.has(id) ? `${titles.get(id)} (${id})` : id, id)));
  at("only").value = known.has(Number(wanted)) ? wanted : "";
}

async function watch() {
  try {
    if (!document.hidden) await refresh();
  } catch (error) {
    say(at("status"), error);
  }
  setTimeout(watch, 10000);
}

at("new").addEventListener("click", () => open(null, at("only").value));
at("only").addEventListener("change", () => refresh().catch((error) => say(at("status"), error)));
try {
  await Promise.all([prepare(saved), learnProjects()]);
} catch (error) {
  say(at("told"), error);
}
watch();
