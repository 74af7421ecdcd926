"use strict";

// One search over all tables. Every row's text lies ready in lower case, so that a keystroke only compares.

let words = [];

function haystack(name) {
  const found = set(name);
  if (found.haystack === null) {
    const fields = SEARCHED[name];
    found.haystack = found.rows.map((row) => {
      let text = "";
      for (const field of fields) text += row[field] + "\n";
      return fold(text);
    });
  }
  return found.haystack;
}

/** Sets `matches` of a set: null while nothing is searched, else 1 for each row that has all the words. */
function match(name) {
  const found = set(name);
  if (words.length === 0) {
    found.matches = null;
    return found.rows.length;
  }
  const texts = haystack(name);
  // Who types on only narrows what was found: the rest need not be looked at again.
  const narrower = found.matches !== null && found.words.every((old) => words.some((word) => word.includes(old)));
  found.matches ??= new Uint8Array(texts.length);
  found.words = words;
  let count = 0;
  for (let i = 0; i < texts.length; i++) {
    if (narrower && found.matches[i] === 0) continue;
    let hit = 1;
    for (const word of words) {
      if (!texts[i].includes(word)) {
        hit = 0;
        break;
      }
    }
    found.matches[i] = hit;
    count += hit;
  }
  return count;
}

function setQuery(text) {
  words = fold(text).split(/\s+/).filter(Boolean);
}

/** Is the row among what is searched for? */
function matched(name, row) {
  const { matches } = set(name);
  return matches === null || matches[row.i] === 1;
}
