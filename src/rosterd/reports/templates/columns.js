"use strict";

// The columns of each table, their cells, and the filters in their heads.

const MOST_CHOICES = 40; // more different values than this are typed, not chosen

const textCell = (cell) => {
  const text = cell.getValue();
  const short = cut(text);
  return short === text ? make("span", {}, text) : make("span", { title: cut(text, 500) }, short);
};
const badgeCell = (cell) => badge(cell.getValue());
const dayCell = (cell) => make("span", {}, timeElement(cell.getValue(), days));
const timeCell = (cell) => make("span", {}, timeElement(cell.getValue()));
const numberCell = (cell) => make("span", {}, numbers.format(cell.getValue()));

/** A place as people call it; pointing at it shows the id. */
const placeCell = (cell) => {
  const row = cell.getData();
  const id = row.placeId ?? row.id;
  const name = cell.getValue() || id;
  return make("span", { title: cut(name === id ? name : `${name} · ${id}`, 500) }, cut(name));
};

/** The name of whom a row is about, leading to their page; without a name, what else there is. */
const personCell = (cell) => {
  const row = cell.getData();
  const text = cut(cell.getValue() || row.email || row.person || row.subject || row.key || "(no name)");
  const page = pageOf(row);
  return page ? make("a", { class: "who", href: page }, text) : make("span", {}, text);
};

/** Compares by the place in a sorted list of the different values, which is made when a column is first sorted. */
function byRank(name, field) {
  let ranks = null;
  return (a, b) => {
    if (ranks === null) {
      const values = [...new Set(set(name).rows.map((row) => row[field]))];
      values.sort(collator.compare);
      ranks = new Map(values.map((value, rank) => [value, value === "" ? Infinity : rank]));
    }
    const difference = ranks.get(a) - ranks.get(b);
    return Number.isNaN(difference) ? 0 : difference;
  };
}

function choices(name, field) {
  const values = new Set();
  for (const row of set(name).rows) {
    values.add(row[field]);
    if (values.size > MOST_CHOICES) return null;
  }
  return [...values].filter(Boolean).sort(collator.compare);
}

/** Native controls: every browser and screen reader knows them, and they cannot be handed HTML. */
function filterControl(name, title, options) {
  return (cell, onRendered, success) => {
    const label = { "aria-label": `Filter by ${title.toLowerCase()}`, class: "filter" };
    const control = options ? make("select", label, make("option", { value: "" }, "All")) : make("input", { ...label, type: "search" });
    for (const value of options || []) control.append(make("option", { value }, cut(value, 60)));
    control.value = cell.getValue() || "";
    control.addEventListener("input", () => {
      success(control.value);
      tell(name); // Tabulator's own event would make an object of every row
    });
    return control;
  };
}

/** A button, so that a column is sorted by keyboard too; its click is heard by the head it stands in. */
const headButton = (cell) => make("button", { type: "button", class: "sort" }, cell.getValue());

const holds = (wanted, value) => fold(String(value)).includes(fold(wanted));
const equals = (wanted, value) => String(value) === wanted;

function column(name, title, field, { chosen = false, cell = textCell, ...more } = {}) {
  const options = chosen ? choices(name, field) : null;
  return {
    title, field, titleFormatter: headButton, formatter: cell, sorter: byRank(name, field), headerSortTristate: true,
    headerFilter: filterControl(name, title, options), headerFilterFunc: options ? equals : holds,
    headerFilterLiveFilter: false, headerFilterPlaceholder: "Filter", headerFilterEmptyCheck: (value) => !value, ...more,
  };
}

// `responsive` says which columns a narrow screen drops first; a person's page has everything.
const COLUMNS = {
  grants: (name) => [
    column(name, "Who", "name", { cell: personCell, minWidth: 150, widthGrow: 3, responsive: 0 }),
    column(name, "E-mail", "email", { minWidth: 180, widthGrow: 3, responsive: 3 }),
    column(name, "Place", "place", { cell: placeCell, minWidth: 150, widthGrow: 2, responsive: 2 }),
    column(name, "Kind", "kind", { chosen: true, width: 116, responsive: 5 }),
    column(name, "Level", "level", { chosen: true, width: 128, responsive: 4 }),
    column(name, "Verdict", "verdict", { chosen: true, cell: badgeCell, width: 168, responsive: 0 }),
    column(name, "Via", "via", { minWidth: 110, responsive: 7 }),
    column(name, "Since", "since", { cell: dayCell, headerFilter: false, width: 132, responsive: 6 }),
  ],
  people: (name) => [
    column(name, "Name", "name", { cell: personCell, minWidth: 150, widthGrow: 2, responsive: 0 }),
    column(name, "Key", "key", { minWidth: 150, widthGrow: 2, responsive: 4 }),
    column(name, "E-mail", "email", { minWidth: 180, widthGrow: 2, responsive: 3 }),
    column(name, "Directory", "directory", { chosen: true, cell: badgeCell, width: 124, responsive: 0 }),
    column(name, "Orbix", "orbix", { chosen: true, cell: badgeCell, width: 124, responsive: 1 }),
    column(name, "Groups", "group", { minWidth: 140, widthGrow: 2, responsive: 5 }),
    column(name, "Note", "note", { minWidth: 140, widthGrow: 2, responsive: 6 }),
  ],
  findings: (name) => [
    column(name, "Severity", "severity", { chosen: true, cell: badgeCell, width: 112, responsive: 0 }),
    column(name, "Finding", "sentence", { cell: findingCell, minWidth: 180, widthGrow: 4, responsive: 0 }),
    column(name, "Next step", "step", { minWidth: 200, widthGrow: 3, responsive: 4 }),
    column(name, "Place", "place", { minWidth: 130, responsive: 5 }),
    column(name, "First seen", "since", { cell: dayCell, headerFilter: false, width: 132, responsive: 3 }),
  ],
  leavers: (name) => [
    column(name, "Kind", "kind", { chosen: true, width: 110, responsive: 3 }),
    column(name, "Name", "name", { cell: personCell, minWidth: 140, widthGrow: 2, responsive: 0 }),
    column(name, "Key", "key", { minWidth: 150, widthGrow: 2, responsive: 1 }),
    column(name, "E-mail", "email", { minWidth: 160, widthGrow: 2, responsive: 4 }),
    column(name, "Group", "group", { minWidth: 130, responsive: 5 }),
    column(name, "Since", "since", { cell: dayCell, headerFilter: false, width: 132, responsive: 2 }),
  ],
  sources: (name) => [
    column(name, "Kind", "kind", { chosen: true, width: 120, responsive: 2 }),
    column(name, "Name", "name", { cell: placeCell, minWidth: 150, widthGrow: 2, responsive: 0 }),
    column(name, "Id", "id", { minWidth: 150, widthGrow: 2, responsive: 6 }),
    column(name, "State", "state", { chosen: true, cell: badgeCell, width: 110, responsive: 0 }),
    column(name, "Read", "time", { cell: timeCell, headerFilter: false, width: 160, responsive: 3 }),
    column(name, "Entries", "entries", { cell: numberCell, sorter: (a, b) => a - b, hozAlign: "right", width: 110, responsive: 4 }),
    column(name, "Reason", "reason", { minWidth: 160, widthGrow: 3, responsive: 5 }),
  ],
};

function findingCell(cell) {
  const row = cell.getData();
  const text = cut(row.sentence);
  const page = pageOf(row);
  return page ? make("a", { class: "who", href: page, title: cut(row.sentence, 500) }, text) : textCell(cell);
}
