"use strict";
// Tables: a click on a header sorts (again: the other way). Levels filter tables and charts alike, words one table;
// what is chosen stands in the address. Arms of a chart say what they are. Pictures: a click enlarges.

const all = (selector, within = document) => [...within.querySelectorAll(selector)];
const factors = document.getElementById("main").dataset.factors.split(",").filter(Boolean);
const chosen = new Map(); // group -> Set of levels
const boxes = all(".sortable");

function keyOf(row, column) {
  const cell = row.cells[column];
  const key = cell.dataset.key;
  if (key === undefined) return cell.classList.contains("num") ? NaN : cell.textContent.trim();
  return key === "inf" ? Infinity : Number(key);
}

function compare(a, b) {
  if (typeof a === "string") return a.localeCompare(b, "en", { numeric: true });
  return a === b ? 0 : a - b;
}

function sortBy(table, column) {
  const header = table.tHead.rows[0].cells[column];
  const numeric = header.classList.contains("num");
  const first = numeric ? "descending" : "ascending";
  const second = numeric ? "ascending" : "descending";
  const order = header.getAttribute("aria-sort") === first ? second : first;
  for (const other of table.tHead.rows[0].cells) other.setAttribute("aria-sort", "none");
  header.setAttribute("aria-sort", order);
  const sign = order === "ascending" ? 1 : -1;
  const known = [];
  const missing = [];
  for (const row of table.tBodies[0].rows) {
    const key = keyOf(row, column);
    (Number.isNaN(key) ? missing : known).push({ row, key });
  }
  known.sort((a, b) => sign * compare(a.key, b.key));
  table.tBodies[0].append(...known.map((item) => item.row), ...missing.map((item) => item.row));
}

function passes(groups, levelAt) {
  return groups.every((group, i) => !chosen.get(group)?.size || chosen.get(group).has(levelAt(i)));
}

function filterTable(box) {
  const input = box.querySelector("input");
  if (!input) return;
  const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
  const groups = box.dataset.groups.split(",").filter(Boolean);
  const rows = [...box.querySelector("tbody").rows];
  for (const row of rows) {
    const text = row.textContent.toLowerCase();
    row.hidden = !(passes(groups, (i) => row.dataset["g" + i]) && words.every((word) => text.includes(word)));
  }
  const left = rows.filter((row) => !row.hidden).length;
  box.querySelector("output").textContent = left === rows.length ? `${left} rows` : `${left} of ${rows.length} rows`;
}

function show() {
  for (const button of all("button[data-group]"))
    button.setAttribute("aria-pressed", String(!!chosen.get(button.dataset.group)?.has(button.dataset.level)));
  boxes.forEach(filterTable);
  for (const arm of all("svg g[data-arm]")) arm.classList.toggle("out", !passes(factors, (i) => arm.dataset["f" + i]));
}

// The address: #place?group=level,level&table.words=...
function write() {
  const query = new URLSearchParams();
  for (const [group, levels] of chosen) if (levels.size) query.set(group, JSON.stringify([...levels]));
  for (const box of boxes) {
    const words = box.querySelector("input")?.value.trim();
    if (words) query.set(box.dataset.name + ".words", words);
  }
  const place = location.hash.slice(1).split("?")[0];
  history.replaceState(null, "", query.size || place ? `#${place}${query.size ? "?" + query : ""}` : location.pathname);
}

function read() {
  const [place, ...rest] = location.hash.slice(1).split("?");
  const query = new URLSearchParams(rest.join("?"));
  chosen.clear();
  for (const [group, levels] of query) {
    if (group.endsWith(".words")) continue;
    try {
      chosen.set(group, new Set([].concat(JSON.parse(levels)).map(String)));
    } catch {
      chosen.set(group, new Set(levels.split(",")));
    }
  }
  for (const box of boxes) {
    const input = box.querySelector("input");
    if (input) input.value = query.get(box.dataset.name + ".words") || "";
  }
  show();
  if (rest.length) document.getElementById(place)?.scrollIntoView();
}

for (const button of all("button[data-group]")) {
  button.addEventListener("click", () => {
    const { group, level } = button.dataset;
    const levels = chosen.get(group) || new Set();
    if (!levels.delete(level)) levels.add(level);
    chosen.set(group, levels);
    show();
    write();
  });
}
for (const box of boxes) {
  const table = box.querySelector("table");
  [...table.tHead.rows[0].cells].forEach((header, column) => {
    header.querySelector("button").addEventListener("click", () => sortBy(table, column));
  });
  box.querySelector("input")?.addEventListener("input", () => (filterTable(box), write()));
}
addEventListener("hashchange", read);
read();

// A table that goes on says so.
function goesOn(scroll) {
  scroll.classList.toggle("more", scroll.scrollWidth - scroll.clientWidth - scroll.scrollLeft > 3);
}
const watch = new ResizeObserver((seen) => seen.forEach((one) => goesOn(one.target)));
for (const scroll of all(".scroll")) {
  watch.observe(scroll);
  scroll.addEventListener("scroll", () => goesOn(scroll), { passive: true });
}

// What an arm of a chart is: by pointer, tap and Tab.
const tip = document.getElementById("tip");
function tell(arm) {
  tip.textContent = arm.getAttribute("aria-label");
  tip.hidden = false;
  const mark = arm.querySelector(".dot, .mean") || arm;
  const { left, right, top, bottom } = mark.getBoundingClientRect();
  const room = tip.getBoundingClientRect();
  const x = Math.min(Math.max(8, (left + right) / 2 - room.width / 2), innerWidth - room.width - 8);
  tip.style.left = `${x}px`;
  tip.style.top = `${top - room.height - 10 < 50 ? bottom + 10 : top - room.height - 10}px`;
}
const silent = () => (tip.hidden = true);
for (const title of all("svg.chart g > title")) {
  const arm = title.parentElement;
  arm.setAttribute("aria-label", title.textContent);
  arm.setAttribute("role", "img");
  arm.setAttribute("tabindex", "0");
  title.remove();
  for (const event of ["pointerenter", "focus", "click"]) arm.addEventListener(event, () => tell(arm));
  for (const event of ["pointerleave", "blur"]) arm.addEventListener(event, silent);
}
for (const chart of all("svg.chart")) chart.setAttribute("role", chart.querySelector("[tabindex]") ? "group" : "img");
addEventListener("scroll", silent, { passive: true });
addEventListener("keydown", (event) => event.key === "Escape" && silent());

// On a phone a long sentence is folded to three lines; a tap or Enter unfolds it.
function foldable() {
  for (const said of all("#answer dd:not(.open)")) {
    const folded = said.scrollHeight > said.clientHeight + 2;
    if (folded === said.hasAttribute("tabindex")) continue;
    for (const [name, value] of [["tabindex", "0"], ["role", "button"], ["aria-expanded", "false"]])
      folded ? said.setAttribute(name, value) : said.removeAttribute(name);
  }
}
function unfold(said) {
  said.classList.add("open");
  for (const name of ["tabindex", "role", "aria-expanded"]) said.removeAttribute(name);
}
for (const said of all("#answer dd")) {
  said.addEventListener("click", () => said.hasAttribute("tabindex") && unfold(said));
  said.addEventListener("keydown", (event) => ["Enter", " "].includes(event.key) && unfold(said));
}
addEventListener("resize", foldable);
foldable();

const dialog = document.getElementById("zoomed");
for (const button of all("button.zoom")) {
  button.addEventListener("click", () => {
    const small = button.querySelector("img");
    const large = dialog.querySelector("img");
    large.src = small.src;
    large.alt = small.alt;
    dialog.querySelector("figcaption").textContent = small.alt;
    dialog.classList.toggle("card", button.classList.contains("card"));
    dialog.showModal();
  });
}
dialog.addEventListener("click", () => dialog.close());
