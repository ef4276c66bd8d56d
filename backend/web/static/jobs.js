import { ACTIVE, api, copy, duration, progressText, say, set, showBar } from "/static/api.js";

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

function what(job) {
  const { project, dataset, title, recipe, name, write_back: target, collection } = job.params;
  const wanted = [...(job.params.labels ?? []).map((one) => one.label), ...(job.params.keywords ?? [])].filter(Boolean);
  const source = wanted.length ? ` ${wanted.slice(0, 3).join(", ")}${wanted.length > 3 ? ", ..." : ""}` : collection ? ` ${collection}` : project ? ` project ${project}` : dataset ? ` ${dataset}` : "";
  const by = recipe?.name ?? recipe;
  const made = job.result?.dataset ?? name;
  const goal = target ?? title;
  const parts = [
    typeof by === "string" ? ` by ${by}` : "",
    made && made !== dataset ? ` as ${made}` : "",
    goal ? ` to "${goal}"` : "",
  ];
  return `${job.kind}${source}${parts.join("")}`;
}

function makeCard(job) {
  const [element, part] = copy("job");
  const card = { element, part, next: 0, links: "" };
  element.id = `job-${job.id}`;
  part.cancel.setAttribute("aria-label", `Cancel ${what(job)}`);
  part.resume.setAttribute("aria-label", `Resume ${what(job)}`);
  for (const verb of ["cancel", "resume"]) part[verb].addEventListener("click", () => act(job.id, verb));
  part.details.addEventListener("toggle", () => readLines(job.id, card));
  if (job.id === wanted) {
    element.classList.add("border-primary");
    part.details.open = true;
  }
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
  set(part.state, job.state);
  part.state.className = `badge text-bg-${COLOURS[job.state]}`;
  set(part.what, what(job));
  const took = job.seconds !== null ? `, ${duration(job.seconds)}` : "";
  set(part.when, `${new Date(job.created).toLocaleString()}${took}`);
  set(part.who, `asked for by ${job.who} · ${job.id}`);
  part.running.hidden = !ACTIVE.includes(job.state);
  if (!part.running.hidden) {
    showBar(part.bar, job);
    part.bar.setAttribute("aria-label", `progress of ${what(job)}`);
    set(part.phase, progressText(job));
  }
  part.error.hidden = !job.error;
  set(part.error, job.error ?? "");
  part.fix.hidden = !job.fix;
  set(part.fix, job.fix ? `What to do: ${job.fix}` : "");
  part.cancel.hidden = !["queued", "running"].includes(job.state);
  part.resume.hidden = !["failed", "cancelled"].includes(job.state);
  set(part.params, JSON.stringify(job.params, null, 2));
  showLinks(card, job);
  if (part.details.open) readLines(job.id, card);
  return card.element;
}

function showLinks(card, job) {
  const known = [
    ["download", "Download the dataset", true],
    ["project", "Open the project", true],
    ["look", "Look at the images", true],
    ["sheet", "Contact sheet", true],
  ].filter(([name]) => job.links[name]);
  const key = JSON.stringify(job.links);
  if (card.links === key) return;
  card.links = key;
  card.part.links.replaceChildren(
    ...known.map(([name, text]) => {
      const link = document.createElement("a");
      link.className = "btn btn-sm btn-outline-primary";
      link.href = job.links[name];
      link.textContent = text;
      if (!["download", "look"].includes(name)) link.target = "_blank";
      link.rel = "noopener noreferrer";
      return link;
    }),
  );
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
    const found = await api(`/jobs?limit=${PAGE}&offset=${offset}${state}`);
    place(found.jobs.map(show));
    showTotals(found.totals, found.workers);
    busy = found.jobs.some((job) => ACTIVE.includes(job.state));
    document.getElementById("newer").disabled = offset === 0;
    document.getElementById("older").disabled = found.jobs.length < PAGE;
  } catch (error) {
    say(status, error);
  }
  const pause = document.hidden ? 15000 : busy ? 1000 : 3000;
  timer = setTimeout(refresh, pause);
}

/** Put the cards in order, moving only those that must move: the focus and open details stay. */
function place(elements) {
  for (const old of [...list.children]) {
    if (elements.includes(old)) continue;
    old.remove();
    cards.delete(old.id.slice("job-".length));
  }
  elements.forEach((element, index) => {
    if (list.children[index] !== element) list.insertBefore(element, list.children[index] ?? null);
  });
}

function showTotals(totals, workers) {
  set(idle, totals.queued && !workers ? "No worker is running: start `labelloom worker`." : "");
  idle.hidden = !idle.textContent;
  const all = Object.values(totals).reduce((sum, count) => sum + count, 0);
  if (!all) return say(status, "No jobs yet.");
  const parts = Object.entries(totals).map(([state, count]) => `${count} ${state}`);
  return say(status, parts.join(", "));
}

for (const state of ["", ...Object.keys(COLOURS)]) filter.append(new Option(state || "all states", state));
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
