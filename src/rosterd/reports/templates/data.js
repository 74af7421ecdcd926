"use strict";

// The report's rows, as objects. `i` is a row's number in its set; the search keeps its answers by that number.

function parsed(name) {
  const element = document.getElementById(`data-${name}`);
  const value = JSON.parse(element.textContent);
  element.remove(); // the text of 50,000 rows is not needed twice
  return value;
}

const totals = parsed("totals");
const NOUNS = {
  grants: ["grant", "grants"],
  people: ["person", "people"],
  findings: ["finding", "findings"],
  leavers: ["leaver", "leavers"],
  sources: ["source", "sources"],
};

const READERS = {
  grants() {
    const places = parsed("places");
    return parsed("grants").map(([place, subject, name, email, level, via, since, person, verdict, matched, possibly], i) => ({
      i, kind: places[place][0], place: places[place][1], placeId: places[place][2],
      subject, name, email, level, via, since, person, verdict, matched, possibly,
    }));
  },
  people: () => parsed("people").map(([key, name, emails, directory, orbix, groups, note], i) => ({
    i, key, name, emails, directory, orbix, groups, note, person: key, email: emails.join(", "), group: groups.join(", "),
  })),
  findings: () => parsed("findings").map(([severity, sentence, step, since, person, place, kind], i) => ({
    i, severity, sentence, step, since, person, place, kind,
  })),
  leavers: () => parsed("leavers").map(([kind, key, name, email, group, since], i) => ({
    i, kind, key, name, email, group, since, person: kind === "person" ? key : "",
  })),
  sources: () => parsed("sources").map(([kind, name, state, time, entries, reason, id, consistent], i) => ({
    i, kind, name: name || id, state, time, entries, id, person: "",
    reason: [reason, consistent ? "" : "Changed while it was read."].filter(Boolean).join(" "),
  })),
};

// Fields that a search looks at.
const SEARCHED = {
  grants: ["name", "email", "place", "kind", "level", "via", "verdict", "person"],
  people: ["name", "key", "email", "directory", "orbix", "group", "note"],
  findings: ["severity", "sentence", "step", "place", "person"],
  leavers: ["kind", "name", "key", "email", "group"],
  sources: ["kind", "name", "id", "state", "reason"],
};

/** Sets by name, each read when it is first asked for. */
const sets = new Map();

function set(name) {
  if (!sets.has(name)) sets.set(name, { name, rows: READERS[name](), haystack: null, matches: null, words: [], table: null, order: "" });
  return sets.get(name);
}

/** The hash that leads to a row's page: a person of the directory, or somebody outside it; "" where there is none. */
function pageOf(row) {
  if (row.person) return `#person/${encodeURIComponent(row.person)}`;
  const outsider = row.subject || ("verdict" in row && (row.email || row.name));
  return outsider ? `#outside/${encodeURIComponent(outsider)}` : "";
}
