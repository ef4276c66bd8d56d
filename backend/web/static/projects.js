import { api, copy, count, say, set } from "/static/api.js";

const list = document.getElementById("projects");
const status = document.getElementById("status");
const find = document.getElementById("find");

function card(project) {
  const [element, part] = copy("project");
  element.dataset.title = project.title.toLowerCase();
  set(part.title, project.title);
  set(part.counts, `${project.finished} of ${count(project.tasks, "task")} finished`);
  part.share.max = Math.max(project.tasks, 1);
  part.share.value = project.finished;
  part.share.setAttribute("aria-label", `finished tasks of ${project.title}`);
  part.export.href = `/export?project=${project.id}`;
  part.export.setAttribute("aria-label", `Augment and export ${project.title}`);
  part.model.href = `/models?project=${project.id}`;
  part.model.setAttribute("aria-label", `Model of ${project.title}`);
  part.open.href = project.link;
  part.open.setAttribute("aria-label", `Open ${project.title} in Label Studio`);
  return element;
}

try {
  const { projects } = await api("/projects");
  say(status, projects.length ? count(projects.length, "project") : "Label Studio has no projects yet.");
  list.replaceChildren(...projects.map(card));
  find.hidden = projects.length < 10;
} catch (error) {
  say(status, error, "alert alert-warning");
}

find.addEventListener("input", () => {
  const wanted = find.value.toLowerCase();
  for (const element of list.children) element.hidden = !element.dataset.title.includes(wanted);
});
