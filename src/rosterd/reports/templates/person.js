"use strict";

// The page of one person, or of somebody outside the directory: all that the report knows, in one place.

const MOST_GRANTS = 300;
const MOST_FINDINGS = 100;
const dialog = document.getElementById("person");
let index = null;

function gather(map, key, row) {
  if (!key) return;
  const rows = map.get(key);
  if (rows) rows.push(row);
  else map.set(key, [row]);
}

/** Rows by whom they are about, made when the first page is opened. */
function byPerson() {
  if (index) return index;
  index = { people: new Map(), grants: new Map(), outside: new Map(), findings: new Map(), leavers: new Map() };
  for (const row of set("people").rows) index.people.set(row.key, row);
  for (const row of set("grants").rows) {
    if (row.person) gather(index.grants, row.person, row);
    else gather(index.outside, row.subject || row.email || row.name, row);
  }
  for (const row of set("findings").rows) gather(index.findings, row.person, row);
  for (const row of set("leavers").rows) gather(index.leavers, row.person, row);
  return index;
}

function part(title, ...content) {
  return make("section", {}, make("h3", {}, title), ...content);
}

function fact(term, ...content) {
  return [make("dt", {}, term), make("dd", {}, ...content)];
}

function distinct(rows, field) {
  return [...new Set(rows.map((row) => row[field]).filter(Boolean))];
}

function lines(texts) {
  return texts.length ? make("ul", { class: "plain" }, ...texts.map((text) => make("li", {}, text))) : make("span", { class: "soft" }, "none");
}

function grantItem(row) {
  const soft = [row.kind, row.place && row.place !== row.placeId && row.placeId, row.level, row.via && `via ${row.via}`, row.matched && `recognised by ${row.matched}`].filter(Boolean).join(" · ");
  const item = make("li", {}, make("div", { class: "line" }, make("b", {}, row.place || row.placeId), badge(row.verdict)), make("p", { class: "soft small" }, soft));
  if (row.since) item.lastChild.append(" · since ", timeElement(row.since));
  if (row.name || row.email) item.append(make("p", { class: "soft small" }, `There: ${[row.name, row.email].filter(Boolean).join(", ")}`));
  if (row.possibly) item.append(make("p", { class: "small" }, "Possibly ", make("a", { class: "who", href: `#person/${encodeURIComponent(row.possibly)}` }, cut(row.possibly)), ": the same name, and no more than that."));
  return item;
}

function findingItem(row) {
  const item = make("li", {}, make("div", { class: "line" }, make("b", {}, row.sentence), badge(row.severity)));
  if (row.step) item.append(make("p", {}, make("b", {}, "Next step "), row.step));
  item.append(make("p", { class: "soft small" }, "First seen ", timeElement(row.since)));
  return item;
}

function listOf(rows, most, item, none) {
  if (rows.length === 0) return [make("p", { class: "soft" }, none)];
  const list = make("ul", { class: "entries" }, ...rows.slice(0, most).map(item));
  const rest = rows.length - most;
  return rest > 0 ? [list, make("p", { class: "soft" }, `… and ${numbers.format(rest)} more, in the tables.`)] : [list];
}

function directoryFacts(person) {
  const states = make("span", { class: "states" }, badge(person.directory), " in the directory, ", badge(person.orbix), " in Orbix");
  const facts = [...fact("State", states)];
  if (person.note) facts.push(...fact("Why", person.note));
  facts.push(...fact("E-mail", lines(person.emails)), ...fact("Groups", lines(person.groups)));
  return facts;
}

function outsideFacts(rows) {
  const facts = fact("E-mail", lines(distinct(rows, "email")));
  if (rows[0].subject) facts.push(...fact("Autodesk id", rows[0].subject));
  return facts;
}

function page(title, under, facts, grants, findings, leavers) {
  const close = make("button", { type: "button", class: "tool close", "aria-label": "Close" }, "×");
  close.addEventListener("click", () => dialog.close());
  const heading = make("h2", { id: "person-name", tabindex: "-1" }, title || "(no name)");
  const parts = [part(`Access (${numbers.format(grants.length)})`, ...listOf(grants, MOST_GRANTS, grantItem, "No access to any application, twin or printer was seen."))];
  if (findings.length) parts.unshift(part("Findings", ...listOf(findings, MOST_FINDINGS, findingItem, "")));
  if (leavers.length) parts.push(part("To be removed in the Orbix portal", lines(leavers.map((row) => `${row.key}, since ${when(row.since)}`))));
  dialog.firstElementChild.replaceChildren(
    make("header", {}, make("div", {}, heading, make("p", { class: "soft key" }, under)), close),
    make("dl", {}, ...facts), ...parts,
  );
  return heading;
}

function openPerson(key) {
  const rows = byPerson();
  const person = rows.people.get(key);
  const grants = rows.grants.get(key) || [];
  const findings = rows.findings.get(key) || [];
  const leavers = rows.leavers.get(key) || [];
  if (!person && !grants.length && !findings.length && !leavers.length) return openNobody(key);
  const name = person ? person.name : (distinct([...grants, ...leavers], "name")[0] || key);
  const facts = person ? directoryFacts(person) : fact("State", "not among the people of this file");
  return raise(page(name, key, facts, grants, findings, leavers));
}

function openOutsider(id) {
  const grants = byPerson().outside.get(id) || [];
  if (!grants.length) return openNobody(id);
  return raise(page(distinct(grants, "name")[0] || id, "not in the directory", outsideFacts(grants), grants, [], []));
}

function openNobody(key) {
  return raise(page("Not in this report", key, fact("State", "The report has nothing about this name. A newer or an older one may."), [], [], []));
}

function raise(heading) {
  if (!dialog.open) dialog.showModal();
  dialog.scrollTop = 0;
  heading.focus({ preventScroll: true });
}

dialog.addEventListener("click", (event) => {
  if (event.target === dialog) dialog.close(); // outside the page itself
});
