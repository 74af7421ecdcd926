"use strict";

// On paper there is nothing to scroll: the tables are written out as they are filtered, to a sensible length.

const MOST_PRINTED = 300;
const paper = document.getElementById("paper");
const PRINTED = {
  grants: [["Who", "name"], ["E-mail", "email"], ["Place", "place"], ["Level", "level"], ["Verdict", "verdict"]],
  people: [["Name", "name"], ["Key", "key"], ["E-mail", "email"], ["Directory", "directory"], ["Orbix", "orbix"]],
  leavers: [["Kind", "kind"], ["Name", "name"], ["Key", "key"], ["Group", "group"], ["Since", "since"]],
  sources: [["Kind", "kind"], ["Name", "name"], ["State", "state"], ["Read", "time"], ["Reason", "reason"]],
};

/** The rows of a set in the order of its table, if it has one, and within the search. */
function rowsInOrder(name) {
  const { rows, table } = set(name);
  return table && table.initialized ? table.getData("active") : rows.filter((row) => matched(name, row));
}

function printed(name) {
  const rows = rowsInOrder(name);
  const columns = PRINTED[name];
  const head = make("tr", {}, ...columns.map(([title]) => make("th", { scope: "col" }, title)));
  const text = (row, field) => (field === "since" || field === "time" ? when(row[field]) : cut(row[field], 80));
  const body = rows.slice(0, MOST_PRINTED).map((row) => make("tr", {}, ...columns.map(([, field]) => make("td", {}, text(row, field)))));
  const all = set(name).rows.length;
  const count = rows.length < all ? `${numbers.format(rows.length)} of ${numbers.format(all)}, searched and filtered` : numbers.format(all);
  const parts = [make("h3", {}, `${name[0].toUpperCase()}${name.slice(1)} (${count})`)];
  if (rows.length > MOST_PRINTED) parts.push(make("p", { class: "soft" }, `The first ${MOST_PRINTED}. All are in the file this was printed from, and in the CSV report.`));
  if (rows.length) parts.push(make("table", {}, make("thead", {}, head), make("tbody", {}, ...body)));
  else parts.push(make("p", { class: "soft" }, nothing(name)));
  return make("section", {}, ...parts);
}

addEventListener("beforeprint", () => paper.replaceChildren(...Object.keys(PRINTED).map(printed)));
addEventListener("afterprint", () => paper.replaceChildren());
