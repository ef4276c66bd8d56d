// What all pages share: calling the API, filling templates, words for numbers.

const csrf = document.querySelector('meta[name="csrf-token"]')?.content ?? "";

/** An error that the API explained. */
export class Problem extends Error {
  constructor(document) {
    super(document.detail);
    this.document = document;
  }
}

/** Send a request to /api/v1 and return the JSON it answers; a Problem is thrown for an error. */
export async function api(path, { method = "GET", body, headers = {} } = {}) {
  const asked = { method, headers: { Accept: "application/json", ...headers } };
  if (method !== "GET") asked.headers["X-CSRF-Token"] = csrf;
  if (body !== undefined) {
    asked.headers["Content-Type"] = "application/json";
    asked.body = JSON.stringify(body);
  }
  let answer;
  try {
    answer = await fetch(`/api/v1${path}`, asked);
  } catch {
    throw new Problem({ detail: "LabelLoom does not answer", fix: "is it still running?" });
  }
  if (answer.status === 401) location.assign(`/login?next=${encodeURIComponent(location.pathname + location.search)}`);
  const text = await answer.text();
  let found;
  try {
    found = text ? JSON.parse(text) : null;
  } catch {
    found = { detail: `an answer that is not JSON (HTTP ${answer.status})` };
  }
  if (!answer.ok) throw new Problem(found ?? { detail: `HTTP ${answer.status}` });
  return found;
}

/** Return a copy of a template's element and its parts by their data-is names. */
export function copy(id) {
  const element = document.getElementById(id).content.firstElementChild.cloneNode(true);
  const parts = {};
  for (const part of element.querySelectorAll("[data-is]")) parts[part.dataset.is] = part;
  return [element, parts];
}

/** Show a problem, or words, in an element. */
export function say(element, message, kind = "") {
  const lines = [message instanceof Error ? message.message : message];
  const known = message instanceof Problem ? message.document : {};
  for (const error of known.errors ?? []) lines.push(`${error.field}: ${error.message}`);
  if (known.fix) lines.push(`What to do: ${known.fix}`);
  const text = [...new Set(lines)].filter(Boolean).join("\n");
  element.className = `pre ${kind || (message instanceof Error ? "alert alert-danger" : "")}`;
  set(element, text);
}

/** Set an element's text if it differs, so that screen readers hear changes only. */
export function set(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** Put children in order, moving only those that must move: the focus and what is open stay. */
export function arrange(parent, children) {
  for (const old of [...parent.children]) if (!children.includes(old)) old.remove();
  children.forEach((child, index) => {
    if (parent.children[index] !== child) parent.insertBefore(child, parent.children[index] ?? null);
  });
}

/** Ask in the page's dialog (sure.html) before something is deleted; Escape is a no, also after an earlier yes. */
export async function sure(question) {
  const dialog = document.getElementById("sure");
  set(document.getElementById("sure-what"), question);
  dialog.returnValue = "";
  dialog.showModal();
  await new Promise((done) => dialog.addEventListener("close", done, { once: true }));
  return dialog.returnValue === "yes";
}

/** Write how many there are of something. */
export function count(number, word) {
  return `${number} ${word}${number === 1 ? "" : "s"}`;
}

/** Write seconds as people say them. */
export function duration(seconds) {
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
}

/** Return how far a job is, in words. */
export function progressText(job) {
  if (job.state === "queued") return "waiting for a worker";
  if (job.state === "cancelling") return "stopping after the item in hand";
  if (!job.phase) return "starting";
  const share = job.total ? `${job.done} of ${job.total} (${Math.floor((100 * job.done) / job.total)} %)` : `${job.done}`;
  return `${job.phase}: ${share}${job.eta !== null ? `, about ${duration(job.eta)} left` : ""}`;
}

/** Show how far a job is in a progress element. */
export function showBar(bar, job) {
  if (job.total) {
    bar.max = job.total;
    bar.value = job.done;
  } else {
    bar.removeAttribute("value");
  }
}

export const ACTIVE = ["queued", "running", "cancelling"];

/** Call `seen(job)` every second until a job has ended; return it. */
export async function follow(id, seen) {
  for (;;) {
    const job = await api(`/jobs/${id}`);
    seen(job);
    if (!ACTIVE.includes(job.state)) return job;
    await new Promise((done) => setTimeout(done, 1000));
  }
}
