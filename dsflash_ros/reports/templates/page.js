"use strict";

const data = JSON.parse(document.getElementById("data").textContent);
const style = () => getComputedStyle(document.documentElement);

/* Plots: the style's variables in place of their names, anew when light turns to dark. */

const plain = (config) => {
  const values = style();
  const colour = (name) => values.getPropertyValue(name).trim();
  const scales = {
    "var(--scale)": [[0, colour("--worse")], [0.5, colour("--neutral")], [1, colour("--better")]],
  };
  const walk = (value) => {
    if (Array.isArray(value)) return value.map(walk);
    if (value && typeof value === "object") {
      return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, walk(one)]));
    }
    if (typeof value !== "string" || !value.startsWith("var(")) return value;
    return scales[value] || colour(value.slice(4, -1));
  };
  return walk(config);
};

const isTouch = matchMedia("(pointer: coarse)").matches;
let current = 0;

function cursor() {
  const line = { color: style().getPropertyValue("--focus").trim(), width: 2 };
  return [{ type: "line", x0: current, x1: current, y0: 0, y1: 1, yref: "paper", line }];
}

function draw() {
  for (const [id, figure] of Object.entries(data.plots)) {
    const place = document.getElementById(id);
    if (!place) continue;
    const { data: traces, layout } = plain(figure);
    layout.dragmode = isTouch ? false : "zoom";
    if (id === "timeline-plot") layout.shapes = cursor();
    Plotly.react(place, traces, layout, { displayModeBar: false, responsive: true });
  }
}

/* The timeline: one frame is shown; clicks, keys and the slider choose it. */

const frames = data.frames;
const element = (id) => document.getElementById(id);

function make(tag, text = "", attributes = {}) {
  const made = document.createElement(tag);
  made.textContent = text;
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
}

function shown(value, format) {
  if (value === null || value === undefined) return "-";
  if (format === "percent") return `${(100 * value).toFixed(1)} %`;
  return format === "ms" ? `${value.toFixed(1)} ms` : `${value}`;
}

function numbersOf(number) {
  const table = make("table");
  if (frames.sides.length > 1) {
    const head = table.createTHead().insertRow();
    for (const side of ["", ...frames.sides]) head.append(make("th", side));
  }
  const body = table.createTBody();
  frames.rows.forEach(({ label, format }, index) => {
    const row = body.insertRow();
    row.append(make("td", label));
    const values = [frames.values[number][index]].flat();
    for (const value of values) {
      const cell = make("td", shown(value, format), { "data-value": JSON.stringify(value) });
      cell.colSpan = frames.sides.length - values.length + 1;
      row.append(cell);
    }
  });
  return table;
}

function picture(number, side) {
  const figure = make("figure");
  const source = frames.pictures[number][side];
  const caption = frames.captions[side];
  figure.append(make("figcaption", source ? caption : `${caption}: no picture`));
  if (source) {
    figure.append(make("img", "", { src: source, alt: `${caption}: frame ${number}` }));
  }
  return figure;
}

function notesOf(number) {
  return (frames.notes[number] || []).map(([title, lines]) => {
    const list = make("ul", "", { class: "words" });
    list.append(...lines.map((line) => make("li", line)));
    const place = make("div");
    place.append(make("p", `${title}: ${lines.length}`, { class: "note" }), list);
    return place;
  });
}

function select(number) {
  current = Math.min(Math.max(number, 0), frames.names.length - 1);
  element("slider").value = current;
  element("name").textContent = `frame ${current}: ${frames.names[current]}`;
  element("numbers").replaceChildren(numbersOf(current));
  const sides = element("pictures");
  if (frames.pictures[current]) {
    sides.replaceChildren(...frames.captions.map((_, side) => picture(current, side)));
  } else {
    const why = Object.keys(frames.pictures).length
      ? "No picture of this frame is stored in this page; the triangles show which frames have one."
      : frames.without;
    sides.replaceChildren(make("p", why, { class: "note" }));
  }
  element("notes").replaceChildren(...notesOf(current));
  const plot = element("timeline-plot");
  if (plot.data) Plotly.relayout(plot, { shapes: cursor() });
}

function toPictured(step) {
  const pictured = Object.keys(frames.pictures).map(Number);
  const ahead = pictured.filter((number) => (number - current) * step > 0);
  if (ahead.length) select(step > 0 ? Math.min(...ahead) : Math.max(...ahead));
}

function listen() {
  element("timeline-plot").on("plotly_click", (event) => select(event.points[0].x));
  element("slider").addEventListener("input", (event) => select(Number(event.target.value)));
  const steps = { previous: () => select(current - 1), next: () => select(current + 1) };
  const jumps = { "previous-picture": () => toPictured(-1), "next-picture": () => toPictured(1) };
  for (const [id, act] of Object.entries({ ...steps, ...jumps })) {
    element(id)?.addEventListener("click", act);
  }
  document.addEventListener("keydown", (event) => {
    if (event.altKey || event.ctrlKey || event.metaKey || event.target.id === "slider") return;
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!step) return;
    event.preventDefault();
    if (event.shiftKey) toPictured(step);
    else select(current + step);
  });
  for (const button of document.querySelectorAll("button[data-frame]")) {
    button.addEventListener("click", () => {
      select(Number(button.dataset.frame));
      element("timeline").scrollIntoView({ behavior: "smooth" });
    });
  }
}

/* Pictures of the worst frames are those of the timeline; a click shows them large. */

for (const place of document.querySelectorAll(".sides[data-frame]")) {
  const number = place.dataset.frame;
  if (!frames.pictures[number]) continue;
  place.replaceChildren(...frames.captions.map((_, side) => picture(number, side)));
}

const large = element("large");
document.addEventListener("click", (event) => {
  if (event.target.matches("figure img")) {
    large.firstElementChild.src = event.target.src;
    large.firstElementChild.alt = event.target.alt;
    large.showModal();
  } else if (large.open) {
    large.close();
  }
});

/* Tables: a click on a head sorts by the numbers below it. */

for (const table of document.querySelectorAll("table.sortable")) {
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => head.addEventListener("click", () => {
    const isDown = head.getAttribute("aria-sort") !== "descending";
    for (const other of heads) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", isDown ? "descending" : "ascending");
    const key = (row) => {
      const { value } = row.cells[column].dataset;
      if (value === undefined) return row.cells[column].textContent;
      return value === "null" ? -Infinity : Number(value);
    };
    const compare = (a, b) => (key(a) < key(b) ? -1 : key(a) > key(b) ? 1 : 0);
    const rows = [...table.tBodies[0].rows].sort(compare);
    table.tBodies[0].append(...(isDown ? rows.reverse() : rows));
  }));
}

draw();
select(frames.begin);
listen();
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
