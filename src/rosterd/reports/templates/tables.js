"use strict";

// Five tables under tabs. A table is made when its tab is first shown; only the rows in sight are elements.

const NOTHING = {
  grants: "Nobody has access to anything.",
  people: "The directory has no people.",
  findings: "Nobody who should not have access was found.",
  leavers: "Nobody has to be removed by hand.",
  sources: "Nothing was read.",
};
const NAMES = Object.keys(NOTHING);
const ROW = 40; // pixels; the same for all, so that the place of any row is known without making it
const MOST_ROWS_IN_SIGHT = 14;

const REST = 60; // milliseconds without a keystroke

let current = "";
let others = 0;

function nothing(name) {
  return set(name).rows.length ? "Nothing matches the search and the filters." : NOTHING[name];
}

function build(name) {
  const found = set(name);
  const height = Math.min(found.rows.length, MOST_ROWS_IN_SIGHT) * ROW + 92;
  const table = new Tabulator(`#table-${name}`, {
    data: found.rows,
    columns: COLUMNS[name](name),
    index: "i",
    height: `min(${Math.max(height, 240)}px, 76vh)`,
    rowHeight: ROW,
    renderVerticalBuffer: 6 * ROW,
    layout: "fitColumns",
    responsiveLayout: "hide",
    nestedFieldSeparator: false,
    columnHeaderSortMulti: false,
    columnDefaults: { headerSortStartingDir: "asc" },
    placeholder: () => make("p", { class: "nothing" }, nothing(name)),
  });
  found.table = table;
  found.built = new Promise((done) => table.on("tableBuilt", done)).then(() => {
    table.setFilter((row) => matched(name, row));
  });
  table.on("rowClick", openRow);
  table.on("dataSorting", (sorters) => keepOrder(found, sorters));
  document.getElementById(`table-${name}`).addEventListener("keydown", walk);
  return found;
}

/**
 * Tabulator sorts what a filter leaves anew at each keystroke, from the order its rows came in. When they lie in
 * the order that is asked for already, that is one comparison per row instead of sixteen.
 */
function keepOrder(found, sorters) {
  const [sorter] = sorters;
  const order = sorter ? `${sorter.field} ${sorter.dir}` : "";
  if (order === found.order) return;
  found.order = order;
  const rows = found.table.rowManager.activeRowsPipeline[0]; // what every filter starts from
  if (sorter) {
    const compare = found.table.getColumn(sorter.field).getDefinition().sorter;
    const sign = sorter.dir === "asc" ? 1 : -1;
    rows.sort((a, b) => sign * compare(a.data[sorter.field], b.data[sorter.field]));
  } else {
    rows.sort((a, b) => a.data.i - b.data.i);
    setTimeout(() => found.table.refreshFilter());
  }
}

/** A click anywhere in a row is one on its link; marking text is no click. */
function openRow(event, row) {
  const link = row.getElement().querySelector("a.who");
  if (!link || event.target.closest("a") || String(getSelection())) return;
  link.focus({ preventScroll: true });
  link.click();
}

/** Up and down go from link to link. */
function walk(event) {
  const step = { ArrowDown: "nextElementSibling", ArrowUp: "previousElementSibling" }[event.key];
  const row = event.target.closest("a.who") && event.target.closest(".tabulator-row");
  const link = step && row && row[step] && row[step].querySelector("a.who");
  if (!link) return;
  event.preventDefault();
  link.focus();
  link.closest(".tabulator-row").scrollIntoView({ block: "nearest" });
}

/** Says how many rows are left, in sight and to screen readers. */
function tell(name) {
  if (name !== current) return;
  const { rows, table } = set(name);
  const [all, count] = [rows.length, table.getDataCount("active")];
  const filtered = words.length > 0 || table.getHeaderFilters().length > 0;
  const line = filtered ? `${numbers.format(count)} of ${plural(all, ...NOUNS[name])}` : plural(all, ...NOUNS[name]);
  document.getElementById("result").textContent = line;
  document.getElementById("clear").hidden = !filtered;
}

function number(name, count) {
  document.querySelector(`#tab-${name} .number`).textContent = numbers.format(count);
}

/** Shows a table, and sets the filter of a column when one is named. Resolves when it can be used. */
async function show(name, column = "", value = "") {
  current = name;
  number(name, match(name));
  for (const other of NAMES) {
    const tab = document.getElementById(`tab-${other}`);
    tab.setAttribute("aria-selected", String(other === name));
    tab.tabIndex = other === name ? 0 : -1;
    document.getElementById(`panel-${other}`).hidden = other !== name;
  }
  const fresh = set(name).table === null;
  const found = fresh ? build(name) : set(name);
  await found.built;
  if (column) {
    found.table.clearHeaderFilter();
    found.table.setHeaderFilterValue(column, value);
  } else if (!fresh) {
    found.table.refreshFilter();
  }
  tell(name);
}

/** Filters the table in sight at once; the numbers on the other tabs follow when the keys rest. */
function search(text) {
  setQuery(text);
  document.body.classList.toggle("searching", words.length > 0);
  number(current, match(current));
  if (set(current).table.initialized) set(current).table.refreshFilter();
  tell(current);
  clearTimeout(others);
  others = setTimeout(() => NAMES.forEach((name) => number(name, match(name))), REST);
}

function clearAll() {
  document.getElementById("search").value = "";
  for (const { table } of sets.values()) if (table && table.initialized) table.clearHeaderFilter();
  search("");
}

function sayWhatIsCut() {
  for (const name of NAMES) {
    const { rows } = set(name);
    number(name, rows.length);
    if (rows.length >= totals[name]) continue;
    const note = document.querySelector(`#panel-${name} .cut`);
    note.textContent = `This file carries ${numbers.format(rows.length)} of ${plural(totals[name], ...NOUNS[name])}, those that need an eye first. All are in the CSV and JSON reports.`;
    note.hidden = false;
  }
}
