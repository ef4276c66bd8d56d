import { ACTIVE, api, arrange, copy, duration, progressText, say, set, showBar } from "/static/api.js";
import { t } from "/static/words.js";

const PAGE = 25;
const COLOURS = { queued: "secondary", running: "primary", done: "success", failed: "danger", cancelled: "dark", cancelling: "warning" };
const list = document.getElementById("jobs");
const status = document.getElementById("status");
const idle = document.getElementById("idle");
const filter = document.getElementById("state");
const cards = new Map(); // job id -> {element, part, next, links}
const wanted = new URLSearchParams(location.search).get("job");
let offset = 0;
let timer = 0;

const STATES = {
  queued: t("queued"),
  running: t("running"),
  done: t("done"),
  failed: t("failed"),
  cancelled: t("cancelled"),
  cancelling: t("cancelling"),
};

function source(params) {
  const words = [...(params.labels ?? []).map((one) => one.label ?? one), ...(params.keywords ?? [])].filter(Boolean);
  if (words.length) return `${words.slice(0, 3).join(", ")}${words.length > 3 ? ", ..." : ""}`;
  if (params.collection) return params.collection;
  return params.project ? t("project {number}", { number: params.project }) : params.dataset;
}

function what(job) {
  const { dataset, title, recipe, name, write_back: target } = job.params;
  const by = recipe?.name ?? recipe;
  const made = job.result?.dataset ?? name;
  const goal = target ?? title;
  return [
    job.kind,
    source(job.params),
    typeof by === "string" ? t("by {recipe}", { recipe: by }) : "",
    made && made !== dataset ? t("as {name}", { name: made }) : "",
    goal ? t('to "{title}"', { title: goal }) : "",
  ]
    .filter(Boolean)
    .join(" ");
}

function makeCard(job) {
  const [element, part] = copy("job");
  const card = { element, part, next: 0, links: "" };
  element.id = `job-${job.id}`;
  part.cancel.setAttribute("aria-label", t("Cancel {job}", { job: what(job) }));
  part.resume.setAttribute("aria-label", t("Resume {job}", { job: what(job) }));
  for (const verb of ["cancel", "resume"]) part[verb].addEventListener("click", () => act(job.id, verb));
  part.details.addEventListener("toggle", () => readLines(job.id, card));
  part.what.href = `/jobs?job=${encodeURIComponent(job.id)}`;
  part.details.open = job.id === wanted;
  return card;
}

async function act(id, verb) {
  try {
    show(await api(`/jobs/${id}/${verb}`, { method: "POST" }));
  } catch (error) {
    say(status, error);
  }
}

function show(job) {
  let card = cards.get(job.id);
  if (!card) cards.set(job.id, (card = makeCard(job)));
  const { part } = card;
  set(part.state, STATES[job.state] ?? job.state);
  part.state.className = `badge text-bg-${COLOURS[job.state]}`;
  set(part.what, what(job));
  const took = job.seconds !== null ? `, ${duration(job.seconds)}` : "";
  set(part.when, `${new Date(job.created).toLocaleString()}${took}`);
  set(part.who, t("asked for by {who} · {id}", { who: job.who, id: job.id }));
  part.running.hidden = !ACTIVE.includes(job.state);
  if (!part.running.hidden) {
    showBar(part.bar, job);
    part.bar.setAttribute("aria-label", t("progress of {job}", { job: what(job) }));
    set(part.phase, progressText(job));
  }
  part.error.hidden = !job.error;
  set(part.error, job.error ?? "");
  part.fix.hidden = !job.fix;
  set(part.fix, job.fix ? t("What to do: {fix}", { fix: job.fix }) : "");
  set(part.told, told(job.result));
  part.told.hidden = !part.told.textContent;
  part.cancel.hidden = !["queued", "running"].includes(job.state);
  part.resume.hidden = !["failed", "cancelled"].includes(job.state);
  set(part.params, JSON.stringify(job.params, null, 2));
  showLinks(card, job);
  if (part.details.open) readLines(job.id, card);
  return card.element;
}

function showLinks(card, job) {
  const links = job.links;
  const known = [
    ["download", t("Download the dataset")],
    ["project", t("Open the project")],
    ["look", t("Look at the images")],
    ["sheet", t("Contact sheet")],
  ].filter(([name]) => links[name]);
  const key = JSON.stringify(links);
  if (card.links === key) return;
  card.links = key;
  card.part.links.replaceChildren(
    ...known.map(([name, text]) => {
      const link = document.createElement("a");
      link.className = "btn btn-sm btn-outline-primary";
      link.href = links[name];
      link.textContent = text;
      if (!["download", "look"].includes(name)) link.target = "_blank";
      link.rel = "noopener noreferrer";
      return link;
    }),
  );
}

/** Return a result's numbers and warnings, in words. */
function told(result) {
  const counts = Object.entries(result?.counts ?? {}).filter(([, value]) => typeof value === "number");
  const numbers = counts.map(([name, value]) => `${name.replaceAll("_", " ")}: ${value}`).join(" · ");
  return [numbers, result?.note, ...(result?.warnings ?? [])].filter((one) => one && typeof one === "string").join("\n");
}

async function readLines(id, card) {
  if (!card.part.details.open || card.reading) return;
  card.reading = true;
  try {
    const { lines, next } = await api(`/jobs/${id}/lines?after=${card.next}`);
    card.next = next;
    for (const line of lines) {
      const item = document.createElement("li");
      item.textContent = `${new Date(line.at).toLocaleTimeString()}  ${line.text}`;
      card.part.lines.append(item);
    }
  } catch (error) {
    say(status, error);
  }
  card.reading = false;
}

async function refresh() {
  clearTimeout(timer);
  const state = filter.value ? `&state=${filter.value}` : "";
  let busy = false;
  try {
    busy = wanted ? await one() : await page(state);
  } catch (error) {
    say(status, error);
  }
  const pause = document.hidden ? 15000 : busy ? 600 : 3000;
  timer = setTimeout(refresh, pause);
}

/** Show one job alone; return whether it may still change by itself. */
async function one() {
  const job = await api(`/jobs/${encodeURIComponent(wanted)}`);
  place([show(job)]);
  say(status, "");
  document.title = `${what(job)} · LabelLoom`;
  if (job.state === "queued") {
    const { workers } = await api("/jobs?limit=1");
    showIdle(!workers);
  } else showIdle(false);
  return ACTIVE.includes(job.state);
}

async function page(state) {
  const found = await api(`/jobs?limit=${PAGE}&offset=${offset}${state}`);
  place(found.jobs.map(show));
  showTotals(found.totals, found.workers);
  document.getElementById("newer").disabled = offset === 0;
  document.getElementById("older").disabled = found.jobs.length < PAGE;
  return found.jobs.some((job) => ACTIVE.includes(job.state));
}

function showIdle(yes) {
  set(idle, yes ? t("No worker is running: start `labelloom worker`.") : "");
  idle.hidden = !yes;
}

function place(elements) {
  const shown = new Set(elements);
  for (const [id, { element }] of cards) if (!shown.has(element)) cards.delete(id);
  arrange(list, elements);
}

function showTotals(totals, workers) {
  showIdle(Boolean(totals.queued && !workers));
  const all = Object.values(totals).reduce((sum, count) => sum + count, 0);
  if (!all) return say(status, t("No jobs yet."));
  const parts = Object.entries(totals).map(([state, count]) => `${count} ${STATES[state] ?? state}`);
  return say(status, parts.join(", "));
}

for (const state of ["", ...Object.keys(COLOURS)]) filter.append(new Option(STATES[state] ?? t("all states"), state));
if (wanted) {
  for (const id of ["state", "pager"]) document.getElementById(id).hidden = true;
  document.getElementById("up").hidden = false;
  set(document.getElementById("title"), t("Job"));
  document.querySelector("#pager").classList.remove("d-flex");
}
filter.addEventListener("change", () => {
  offset = 0;
  refresh();
});
document.getElementById("newer").addEventListener("click", () => {
  offset = Math.max(0, offset - PAGE);
  refresh();
});
document.getElementById("older").addEventListener("click", () => {
  offset += PAGE;
  refresh();
});
document.addEventListener("visibilitychange", () => document.hidden || refresh());
refresh();
