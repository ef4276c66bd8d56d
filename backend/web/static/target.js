// The choice of a project or a new one's title, as two pages offer it.

import { api, say } from "/static/api.js";

const at = (id) => document.getElementById(id);

/** Fill the list of projects; `changed` is called whenever another one is chosen. */
export async function offerTargets(wanted, changed) {
  const show = () => {
    at("title-part").hidden = at("target").value !== "new";
    changed?.(at("target").value);
  };
  at("target").addEventListener("change", show);
  try {
    const { projects } = await api("/projects");
    at("target").append(...projects.map((one) => new Option(`${one.title} (${one.id})`, one.id)));
    if (wanted && projects.some((one) => String(one.id) === wanted)) at("target").value = wanted;
    else if (wanted) say(at("target-note"), `there is no project ${wanted}`);
  } catch (error) {
    say(at("target-note"), error, "form-text");
  }
  show();
}

/** Return the choice as the API takes it; nothing where no project is wanted. */
export function target() {
  const chosen = at("target").value;
  if (!chosen) return {};
  const prelabel = at("prelabel").checked ? { prelabel: true } : {};
  if (chosen !== "new") return { project: Number(chosen), ...prelabel };
  const title = at("title").value.trim();
  if (title.length < 3) {
    at("title").focus();
    throw new Error("Give the new project a title of 3 to 50 characters.");
  }
  return { title, ...prelabel };
}
