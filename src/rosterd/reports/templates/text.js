"use strict";

// Words, numbers and elements. Text reaches the page as text nodes and by setAttribute only, never as HTML.

const CELL = 160; // characters of a value shown in a table; its own page shows it whole
const locale = navigator.language || "en";
const numbers = new Intl.NumberFormat("en");
const days = new Intl.DateTimeFormat(locale, { dateStyle: "medium" });
const moments = new Intl.DateTimeFormat(locale, { dateStyle: "medium", timeStyle: "short" });
const collator = new Intl.Collator(locale, { numeric: true, sensitivity: "base" });
const ASCII = /^[\x20-\x7e]*$/;

/** An element with attributes and children; a child that is no element becomes a text node. */
function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children.filter((child) => child !== null && child !== ""));
  return element;
}

/** What is compared in a search: lower case, and without accents, so that "joao" finds João. */
function fold(text) {
  const lower = text.toLowerCase();
  return ASCII.test(lower) ? lower : lower.normalize("NFD").replace(/\p{M}+/gu, "");
}

function cut(text, longest = CELL) {
  return text.length > longest ? text.slice(0, longest - 1) + "…" : text;
}

function plural(number, one, many) {
  return `${numbers.format(number)} ${number === 1 ? one : many}`;
}

/** ISO 8601 in the reader's own words and zone; text that is no moment stays as it is. */
function when(iso, format = moments) {
  const date = /^\d{4}-\d\d-\d\dT/.test(iso) ? new Date(iso) : null;
  return date && !Number.isNaN(date.getTime()) ? format.format(date) : iso;
}

function timeElement(iso, format = moments) {
  const words = when(iso, format);
  return words === iso ? document.createTextNode(cut(iso, 40)) : make("time", { datetime: iso, title: iso }, words);
}

/** A coloured word. The colour comes from a fixed list; whatever else a report says is shown in grey. */
const TONES = new Map(Object.entries({
  known: "good", active: "good", delivered: "good", whole: "good",
  left: "high", stranger: "high", high: "high", refused: "high", never: "high",
  disabled: "medium", medium: "medium", "set aside": "medium", stale: "medium", "cannot tell": "medium", waiting: "medium",
}));

function badge(word) {
  return make("span", { class: `badge ${TONES.get(word) || "plain"}` }, cut(word, 40));
}
