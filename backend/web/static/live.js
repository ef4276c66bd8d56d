// The live preview: one picture beside its variants, drawn anew whenever the recipe changes.

import { api, copy, say, set } from "/static/api.js";
import { n, t } from "/static/words.js";

const at = (id) => document.getElementById(id);
const SVG = "http://www.w3.org/2000/svg";
const COLOURS = ["#ffb000", "#009eff", "#eb406e", "#00be78", "#9664ff", "#ff6e28", "#00c8d2", "#e650dc"];

let asked = null; // what to draw, or null: the recipe is invalid, or there is no source
let busy = false;
let again = false;
let picture = 0;
let shuffle = 0;
const colours = new Map(); // label -> colour; a label keeps its own while the page is open

function colour(label) {
  if (!colours.has(label)) colours.set(label, COLOURS[colours.size % COLOURS.length]);
  return colours.get(label);
}

function drawOutlines(svg, seen) {
  svg.setAttribute("viewBox", `0 0 ${seen.width} ${seen.height}`);
  svg.replaceChildren(
    ...seen.outlines.flatMap((one) =>
      one.rings.map((ring) => {
        const point = ring.length === 1;
        const shape = document.createElementNS(SVG, point ? "circle" : "polygon");
        if (point) {
          shape.setAttribute("cx", ring[0][0]);
          shape.setAttribute("cy", ring[0][1]);
          shape.setAttribute("r", Math.max(seen.width, seen.height) / 100);
        } else {
          shape.setAttribute("points", ring.map((pair) => pair.join(",")).join(" "));
        }
        shape.style.stroke = shape.style.fill = colour(one.label);
        return shape;
      }),
    ),
  );
}

const FATES = { kept: () => t("kept"), clipped: () => t("clipped"), dropped: () => t("dropped") };
const REASONS = {
  frame: () => t("cut by the frame"),
  visibility: () => t("too little of it is left"),
  size: () => t("too small"),
  growth: () => t("its box became too loose"),
  occluded: () => t("covered"),
  degenerate: () => t("nothing is left of it"),
};

function fate(entry) {
  const words = {
    label: entry.label,
    fate: FATES[entry.fate](),
    share: Math.round(100 * entry.visibility),
    reason: REASONS[entry.reason]?.() ?? "",
  };
  return entry.reason ? t("{label}: {fate}, {share} % to be seen, {reason}", words) : t("{label}: {fate}, {share} % to be seen", words);
}

function verdict(ledger) {
  const counts = { kept: 0, clipped: 0, dropped: 0 };
  for (const entry of ledger) counts[entry.fate] += 1;
  const parts = Object.entries(counts).filter(([, count]) => count);
  return parts.map(([name, count]) => `${count} ${FATES[name]()}`).join(" · ");
}

function card(seen, title) {
  const [element, part] = copy("variant");
  set(part.title, title);
  if (seen.picture === null) {
    part.stage.hidden = true;
    set(part.verdict, t("not written: {reasons}", { reasons: seen.reasons.join("; ") }));
    part.verdict.classList.add("text-danger");
    return element;
  }
  part.picture.src = seen.picture;
  part.picture.alt = title;
  drawOutlines(part.overlay, seen);
  set(part.steps, seen.steps.join(", "));
  if (seen.number === 0) {
    set(part.verdict, n("one region", "{n} regions", seen.outlines.length));
    return element;
  }
  set(part.verdict, seen.ledger.length ? verdict(seen.ledger) : t("no regions"));
  const hurt = seen.ledger.filter((entry) => entry.fate !== "kept");
  part.verdict.classList.add(hurt.some((entry) => entry.fate === "dropped") ? "text-danger" : hurt.length ? "text-warning-emphasis" : "text-success");
  part.fates.replaceChildren(
    ...hurt.slice(0, 8).map((entry) => {
      const item = document.createElement("li");
      item.textContent = fate(entry);
      return item;
    }),
  );
  return element;
}

function legend() {
  at("live-labels").replaceChildren(
    ...[...colours].map(([label, ink]) => {
      const item = document.createElement("li");
      const dot = document.createElement("span");
      dot.className = "dot";
      dot.style.background = ink;
      item.append(dot, label);
      return item;
    }),
  );
}

function place(found) {
  const words = { name: found.name, number: found.image + 1, total: found.images };
  say(at("live-status"), t("{name}, picture {number} of {total}", words));
  const title = (seen) => t("variant {number}", { number: seen.number });
  at("live-grid").replaceChildren(card(found.original, t("original")), ...found.variants.map((seen) => card(seen, title(seen))));
  picture = found.image;
  legend();
}

/** Draw what is asked for now; while something is drawn already, the newest wish waits, and older ones are forgotten. */
async function draw() {
  if (!asked) return;
  if (busy) {
    again = true;
    return;
  }
  busy = true;
  at("live-grid").setAttribute("aria-busy", "true");
  try {
    const body = { ...asked, image: picture, shuffle, worst: at("live-worst").checked };
    place(await api("/previews", { method: "POST", body }));
  } catch (error) {
    say(at("live-status"), error);
  }
  busy = false;
  at("live-grid").setAttribute("aria-busy", "false");
  if (again) {
    again = false;
    draw();
  }
}

/** Show what `body` (a source and a recipe) gives; null: keep the last pictures, dimmed. */
export function show(body) {
  if (JSON.stringify(body?.project ?? body?.dataset) !== JSON.stringify(asked?.project ?? asked?.dataset)) picture = 0;
  asked = body;
  at("live").hidden = !body && !at("live-grid").childElementCount;
  at("live-grid").classList.toggle("stale", !body);
  for (const name of ["shuffle", "next", "previous"]) at(`live-${name}`).disabled = !body;
  draw();
}

at("live-shuffle").addEventListener("click", () => {
  shuffle += 1;
  at("live-variants").checked = true;
  draw();
});
for (const [name, step] of [["next", 1], ["previous", -1]]) {
  at(`live-${name}`).addEventListener("click", () => {
    picture = Math.max(0, picture + step);
    draw();
  });
}
for (const name of ["variants", "worst"]) at(`live-${name}`).addEventListener("change", draw);
