import { ACTIVE, api, copy, count, follow, progressText, say, set, showBar, sure } from "/static/api.js";
import { offerTargets, target } from "/static/target.js";

const at = (id) => document.getElementById(id);
const name = at("name").dataset.name;
const base = `/collections/${encodeURIComponent(name)}`;
const PAGE = 60;
const LISTED = 50;
const STATES = { collecting: "primary", finished: "success", short: "warning", stopped: "dark" };
let detail = null;
let offset = 0;
let total = 0;
let cards = []; // {entry, part}
let focused = 0;
let sending = Promise.resolve(); // decisions go one after the other
let reason = null;

const label = () => (at("label").value === "*" ? null : at("label").value.slice(1));
const labelQuery = () => (label() === null ? "" : `&label=${encodeURIComponent(label())}`);
const web = (address) => (/^https?:\/\//iu.test(address ?? "") ? address : null);

/** Return a link, or the bare text where the address is not one to open. */
function linked(address, text) {
  if (!web(address)) return document.createTextNode(text);
  const link = document.createElement("a");
  link.href = address;
  link.textContent = text;
  link.target = "_blank";
  link.rel = "noopener noreferrer";
  return link;
}

function showDetail() {
  set(at("state"), detail.state);
  at("state").className = `badge text-bg-${STATES[detail.state] ?? "secondary"}`;
  const { found, kept, rejected } = detail.counts;
  const when = new Date(detail.created).toLocaleString();
  const notes = detail.labels.flatMap((one) => one.notes);
  const about = `${detail.sources.join(", ")} · ${when} · ${found.toLocaleString()} found, ${kept.toLocaleString()} kept, ${rejected.toLocaleString()} rejected`;
  set(at("about"), [about, ...notes].join("\n"));
  at("about").classList.add("pre");
  showAccepted();
  showReasons();
}

function showAccepted() {
  const { kept, accepted } = detail.counts;
  set(at("accepted"), `${accepted.toLocaleString()} of ${kept.toLocaleString()} accepted`);
  set(at("import"), `Import ${count(accepted, "image")}`);
  at("import").disabled = !accepted;
  const value = at("label").value;
  const options = [new Option(`All labels (${kept})`, "*")];
  for (const one of detail.labels) options.push(new Option(`${one.label ?? "without a label"} (${one.accepted} of ${one.kept})`, `=${one.label ?? ""}`));
  at("label").replaceChildren(...options);
  at("label").value = value || "*";
  at("label").hidden = detail.labels.length < 2;
}

function showReasons() {
  at("no-reasons").hidden = detail.reasons.length > 0;
  at("reasons-table").hidden = !detail.reasons.length;
  const rows = detail.reasons.map((one) => {
    const [element, part] = copy("reason");
    set(part.text, one.text);
    set(part.count, one.count.toLocaleString());
    part.show.setAttribute("aria-label", `Show: ${one.text}`);
    part.show.addEventListener("click", () => list(one));
    return element;
  });
  at("reasons").replaceChildren(...rows);
}

async function list(one, from = 0) {
  reason = { ...one, from: from + LISTED };
  try {
    const found = await api(`${base}/entries?state=rejected&reason=${encodeURIComponent(one.code)}&limit=${LISTED}&offset=${from}`);
    const rows = found.entries.map((entry) => {
      const [element, part] = copy("entry");
      part.image.append(linked(entry.url, called(entry)));
      set(part.from, `rank ${entry.rank} of ${entry.source}: ${entry.query}`);
      set(part.detail, entry.reason.detail);
      return element;
    });
    if (from) at("entries").append(...rows);
    else at("entries").replaceChildren(...rows);
    set(at("rejected-what"), `${one.text} (${found.total.toLocaleString()})`);
    at("rejected").hidden = false;
    at("more").hidden = from + LISTED >= found.total;
    if (!from) at("rejected-what").focus();
  } catch (error) {
    say(at("status"), error);
  }
}

/** Return what a candidate is called: its title, or its file's name. */
function called(entry) {
  return entry.title || decoded(entry.url.split(/[?#]/u)[0].split("/").pop()) || entry.url;
}

function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function words(license) {
  if (license.spdx) return license.spdx;
  return license.raw ? `licence: ${license.raw}` : "licence unknown";
}

function mark(card) {
  const { entry, part } = card;
  part.button.setAttribute("aria-pressed", String(entry.accepted));
  part.button.setAttribute("aria-label", `${called(entry)}, rank ${entry.rank} of ${entry.source}: ${entry.accepted ? "accepted" : "rejected"}`);
  set(part.mark, entry.accepted ? "✓" : "✕");
  card.element.classList.toggle("out", !entry.accepted);
}

function makeCard(entry, index) {
  const [element, part] = copy("card");
  const card = { element, entry, part };
  part.image.src = entry.links.thumbnail;
  part.image.alt = "";
  set(part.title, called(entry));
  const size = entry.width ? ` · ${entry.width}\u00a0×\u00a0${entry.height}` : "";
  set(part.from, `${entry.label ? `${entry.label} · ` : ""}${entry.source} ${entry.rank}${size}${entry.thumbnail ? " · thumbnail only" : ""}`);
  set(part.license, [words(entry.license), entry.creator?.name].filter(Boolean).join(" · "));
  part.full.href = entry.links.image;
  const page = web(entry.page_url);
  part.page.hidden = !page;
  if (page) part.page.href = page;
  part.twins.hidden = !entry.twins.length;
  set(part["twins-count"], `${count(entry.twins.length, "repeat")} left out`);
  part["twins-list"].append(...entry.twins.map(twin));
  part.button.addEventListener("click", () => {
    move(index, false);
    toggle(card);
  });
  part.button.addEventListener("focus", () => move(index, false));
  mark(card);
  return card;
}

function twin(one) {
  const item = document.createElement("li");
  item.className = "text-break";
  item.append(linked(one.page_url ?? one.url, called(one)), ` · ${one.source} ${one.rank} · ${one.reason.detail || one.reason.text}`);
  return item;
}

function toggle(card) {
  card.entry.accepted = !card.entry.accepted;
  mark(card);
  detail.counts.accepted += card.entry.accepted ? 1 : -1;
  showAccepted();
  decide(card.entry.accepted ? { accept: [card.entry.sha256] } : { reject: [card.entry.sha256] }, () => {
    card.entry.accepted = !card.entry.accepted;
    mark(card);
  });
}

/** Send decisions in the order in which they were taken; `undo` shows that one was not. */
function decide(body, undo) {
  sending = sending.then(async () => {
    try {
      const found = await api(`${base}/decisions`, { method: "POST", body });
      waiting -= 1;
      if (!waiting) {
        detail.counts = found.counts;
        detail.labels = found.labels;
        showAccepted();
      }
    } catch (error) {
      waiting -= 1;
      undo?.();
      say(at("status"), error);
    }
  });
  waiting += 1;
  return sending;
}
let waiting = 0;

/** Make one image the one that Tab reaches and keys act on. */
function move(index, focus = true) {
  if (!cards.length) return;
  cards[focused]?.part.button.setAttribute("tabindex", "-1");
  focused = Math.max(0, Math.min(cards.length - 1, index));
  cards[focused].part.button.setAttribute("tabindex", "0");
  if (focus) cards[focused].part.button.focus();
}

function columns() {
  const top = cards[0].element.offsetTop;
  const wrapped = cards.findIndex((card) => card.element.offsetTop > top);
  return wrapped < 0 ? cards.length : wrapped;
}

function key(event) {
  if (event.altKey || event.ctrlKey || event.metaKey || !event.target.closest(".picture")) return;
  const steps = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns(), ArrowDown: columns() };
  if (event.key in steps) {
    const next = focused + steps[event.key];
    if (next >= 0 && next < cards.length) move(next);
  } else if (event.key === "Home") move(0);
  else if (event.key === "End") move(cards.length - 1);
  else if (event.key.toLowerCase() === "x") toggle(cards[focused]);
  else return;
  event.preventDefault();
}

async function page() {
  const found = await api(`${base}/entries?limit=${PAGE}&offset=${offset}${labelQuery()}`);
  total = found.total;
  cards = found.entries.map(makeCard);
  for (const card of cards) card.part.button.setAttribute("tabindex", "-1");
  at("grid").replaceChildren(...cards.map((card) => card.element));
  move(0, false);
  at("empty").hidden = total > 0;
  at("pager").hidden = total <= PAGE;
  set(at("shown"), `${offset + 1} to ${Math.min(offset + PAGE, total)} of ${total}`);
  at("before").disabled = !offset;
  at("after").disabled = offset + PAGE >= total;
}

async function turn(by) {
  offset = Math.max(0, offset + by);
  try {
    await page();
    move(0);
  } catch (error) {
    say(at("status"), error);
  }
}

async function every(verb) {
  await decide({ all: verb, ...(label() === null ? {} : { label: label() }) });
  try {
    await page();
  } catch (error) {
    say(at("status"), error);
  }
}

async function importAll(event) {
  event.preventDefault();
  at("import").disabled = true;
  at("open").hidden = true;
  say(at("told"), "");
  try {
    const body = target();
    await sending; // what was clicked counts
    const begun = await api(`${base}/import`, { method: "POST", body });
    at("job").href = `/jobs?job=${begun.id}`;
    at("running").hidden = false;
    const job = await follow(begun.id, (seen) => {
      showBar(at("bar"), seen);
      set(at("phase"), ACTIVE.includes(seen.state) ? progressText(seen) : seen.state);
    });
    if (job.state !== "done") throw new Error([job.error ?? job.state, job.fix].filter(Boolean).join("\n"));
    const { imported, warnings = [] } = job.result;
    at("open").href = job.links.project;
    at("open").hidden = false;
    say(at("told"), [`${count(imported.created, "task")} made, ${imported.present} there already.`, ...warnings].join("\n"), "alert alert-success");
  } catch (error) {
    say(at("told"), error);
  } finally {
    at("running").hidden = true;
    at("import").disabled = false;
  }
}

async function remove() {
  const question = `Delete "${name}" with its ${count(detail.counts.kept, "image")}? They would have to be fetched again.`;
  if (!(await sure(question))) return;
  try {
    await api(base, { method: "DELETE" });
    location.assign("/collections");
  } catch (error) {
    say(at("status"), error);
    at("status").scrollIntoView();
  }
}

at("grid").addEventListener("keydown", key);
at("before").addEventListener("click", () => turn(-PAGE));
at("after").addEventListener("click", () => turn(PAGE));
at("all").addEventListener("click", () => every("accept"));
at("none").addEventListener("click", () => every("reject"));
at("more").addEventListener("click", () => list(reason, reason.from));
at("form").addEventListener("submit", importAll);
at("delete").addEventListener("click", remove);
at("label").addEventListener("change", () => turn(-offset));

try {
  detail = await api(base);
  showDetail();
  await page();
  at("whole").hidden = false;
  say(at("status"), detail.state === "collecting" ? "It is being collected; load the page again to see more." : "");
  await offerTargets(new URLSearchParams(location.search).get("project"));
} catch (error) {
  say(at("status"), error);
}
