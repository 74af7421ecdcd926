"use strict";

// Brings the page to life: times, lists that open, colours, search, tabs, and the hash of the address.

const box = document.getElementById("search");

function localTimes() {
  for (const time of document.querySelectorAll("time[datetime]")) {
    time.title = time.dateTime;
    time.textContent = when(time.dateTime);
  }
}

function openingLists() {
  for (const list of document.querySelectorAll("[data-more]")) {
    if (list.children.length <= Number(list.dataset.more)) continue;
    const button = make("button", { type: "button", class: "more" }, `Show all ${numbers.format(list.children.length)}`);
    button.addEventListener("click", () => {
      const next = list.children[Number(list.dataset.more)];
      list.classList.add("open");
      next.tabIndex = -1;
      next.focus({ preventScroll: true }); // the button goes; who uses a keyboard reads on where it was
      button.remove();
    });
    list.after(button);
  }
}

// A file opened from a mail may be denied storage; then the choice lasts as long as the page.
function remembered(value) {
  try {
    if (value) localStorage.setItem("rosterd-theme", value);
    return localStorage.getItem("rosterd-theme");
  } catch {
    return null;
  }
}

function isDark() {
  const chosen = document.documentElement.dataset.theme;
  return chosen ? chosen === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
}

function theme() {
  const button = document.getElementById("theme");
  const dress = (chosen) => {
    if (chosen) document.documentElement.dataset.theme = chosen;
    button.setAttribute("aria-label", `Switch to ${isDark() ? "light" : "dark"} colours`);
    drawTrend();
  };
  const before = remembered();
  if (before === "dark" || before === "light") dress(before);
  button.addEventListener("click", () => {
    const chosen = isDark() ? "light" : "dark";
    remembered(chosen);
    dress(chosen);
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => dress(""));
}

function keys(event) {
  const typing = event.target.closest("input, select, textarea, dialog");
  if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey && !event.altKey) {
    event.preventDefault();
    box.focus();
    box.select();
  } else if (event.key === "Escape" && event.target === box) {
    box.value = "";
    search("");
  }
}

function tabKeys(event) {
  const at = NAMES.indexOf(current);
  const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: NAMES.length - 1 }[event.key];
  if (to === undefined) return;
  event.preventDefault();
  const name = NAMES[(to + NAMES.length) % NAMES.length];
  show(name);
  document.getElementById(`tab-${name}`).focus();
}

/** Links to a table set its filter too; without scripts they would lead nowhere, so the hash is only their label. */
function tableLinks(event) {
  const link = event.target.closest("a[data-tab]");
  if (!link) return;
  event.preventDefault();
  show(link.dataset.tab || current, link.dataset.column, link.dataset.value);
  toTables();
}

function toTables() {
  const tables = document.getElementById("tables");
  tables.scrollIntoView({ behavior: matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth" });
  tables.focus({ preventScroll: true });
}

/** #person/KEY and #outside/ID open a page, the name of a table shows it. */
function follow() {
  const [, kind, rest] = /^#([a-z]+)(?:\/(.*))?$/s.exec(location.hash) || [];
  if (kind === "person" || kind === "outside") {
    let name = rest || "";
    try {
      name = decodeURIComponent(name);
    } catch {
      // a mangled link: look for it as it is
    }
    (kind === "person" ? openPerson : openOutsider)(name);
    return;
  }
  if (dialog.open) dialog.close();
  if (NAMES.includes(kind)) {
    show(kind);
    toTables();
  }
}

// The address stops naming a page that is closed; the same link must work again.
dialog.addEventListener("close", () => {
  if (/^#(person|outside)\//.test(location.hash)) history.pushState(null, "", "#");
});

function listen() {
  box.addEventListener("input", () => search(box.value));
  box.form.addEventListener("submit", (event) => event.preventDefault());
  document.getElementById("clear").addEventListener("click", () => {
    clearAll();
    box.focus();
  });
  document.getElementById("print").addEventListener("click", () => print());
  document.addEventListener("keydown", keys);
  document.addEventListener("click", tableLinks);
  addEventListener("hashchange", follow);
  for (const name of NAMES) document.getElementById(`tab-${name}`).addEventListener("click", () => show(name));
  document.querySelector("[role=tablist]").addEventListener("keydown", tabKeys);
}

/** What a first search would wait for is done while nothing else is to do. */
function prepare() {
  const idle = globalThis.requestIdleCallback || ((work) => setTimeout(work, 50));
  const waiting = [...NAMES];
  const next = () => {
    if (waiting.length === 0) {
      document.documentElement.dataset.searchable = "yes";
      return;
    }
    haystack(waiting.shift());
    idle(next);
  };
  idle(next);
}

async function start() {
  localTimes();
  openingLists();
  listen();
  watchTrend();
  theme();
  sayWhatIsCut();
  await show(NAMES[0]);
  follow();
  prepare();
  document.documentElement.dataset.ready = "yes";
}

// After the first paint: the overview is read while the tables are made.
requestAnimationFrame(() => setTimeout(start));
