"use strict";
// Tables: a click on a header sorts (again: the other way), words and chips filter. Pictures: a click enlarges.

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

function pressed(box) {
  const groups = new Map();
  for (const chip of box.querySelectorAll(".chips button[aria-pressed=true]")) {
    const { group, level } = chip.dataset;
    groups.set(group, (groups.get(group) || new Set()).add(level));
  }
  return groups;
}

function filter(box) {
  const words = box.querySelector("input").value.toLowerCase().split(/\s+/).filter(Boolean);
  const groups = pressed(box);
  const rows = [...box.querySelector("tbody").rows];
  for (const row of rows) {
    const text = row.textContent.toLowerCase();
    const inGroups = [...groups].every(([group, levels]) => levels.has(row.dataset["g" + group]));
    row.hidden = !(inGroups && words.every((word) => text.includes(word)));
  }
  const left = rows.filter((row) => !row.hidden).length;
  box.querySelector("output").textContent =
    left === rows.length ? `${left} rows` : `${left} of ${rows.length} rows`;
}

for (const box of document.querySelectorAll(".sortable")) {
  const table = box.querySelector("table");
  [...table.tHead.rows[0].cells].forEach((header, column) => {
    header.querySelector("button").addEventListener("click", () => sortBy(table, column));
  });
  if (!box.querySelector("input")) continue;
  box.querySelector("input").addEventListener("input", () => filter(box));
  for (const chip of box.querySelectorAll(".chips button")) {
    chip.addEventListener("click", () => {
      chip.setAttribute("aria-pressed", String(chip.getAttribute("aria-pressed") !== "true"));
      filter(box);
    });
  }
}

const dialog = document.getElementById("zoomed");
for (const button of document.querySelectorAll("button.zoom")) {
  button.addEventListener("click", () => {
    const small = button.querySelector("img");
    const large = dialog.querySelector("img");
    large.src = small.src;
    large.alt = small.alt;
    dialog.showModal();
  });
}
dialog.addEventListener("click", () => dialog.close());
