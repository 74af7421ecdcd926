"use strict";

// What a page does beyond showing itself: it follows what runs, tells how long ago, draws, and goes on searching.
// Every page works without it.

const LOOK = 1000; // milliseconds between two looks at what runs
const numbers = new Intl.NumberFormat("en");

/** An element with text, as text. */
function make(tag, text, attributes = {}) {
  const made = document.createElement(tag);
  made.textContent = text;
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
}

// How long ago

const UNITS = [[86_400, "d"], [3_600, "h"], [60, "min"], [1, "s"]];

function span(seconds) {
  const [size, unit] = UNITS.find(([one]) => seconds >= one) || UNITS.at(-1);
  return `${Math.round(Math.max(seconds, 0) / size)} ${unit}`;
}

function tellTimes() {
  for (const time of document.querySelectorAll("time[data-relative]")) {
    const seconds = (Date.now() - Date.parse(time.dateTime)) / 1000;
    const text = seconds < -1 ? `in ${span(-seconds)}` : `${span(seconds)} ago`;
    if (time.textContent !== text) time.textContent = text;
  }
}

// Charts

const plots = [];

function plot(place, title, times, series) {
  const frame = make("div", "");
  frame.append(make("h3", title));
  place.append(frame);
  const day = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short" });
  const hour = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
  const short = times.at(-1) - times[0] > 2 * 86_400 ? day : hour;
  const moments = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
  const last = (chart) => chart.cursor.idx == null && chart.setLegend({ idx: times.length - 1 });
  plots.push(new uPlot({
    width: frame.clientWidth,
    height: 160,
    cursor: { drag: { x: false, y: false }, sync: { key: "runs" } },
    hooks: { ready: [last], setCursor: [last] },
    legend: { markers: { width: 2, dash: (_, at) => series[at - 1].border } },
    scales: { y: { range: (_, low, high) => [0, Math.max(4, high * 1.12)] } },
    axes: [
      axis({ values: (_, splits) => splits.map((second) => short.format(second * 1000)), space: 80, size: 30 }),
      axis({ values: (_, splits) => splits.map((value) => (Number.isInteger(value) ? numbers.format(value) : "")), size: 62 }),
    ],
    series: [
      { label: "Run", value: (_, second) => (second == null ? "" : moments.format(second * 1000)) },
      ...series.map(({ label, name, dash, fill }) => ({
        label, dash, stroke: colour(name), width: 2, fill: fill && colour(fill), points: { show: times.length < 40, size: 5, fill: colour("--card") },
        value: (_, value) => (value == null ? "–" : numbers.format(value)),
      })),
    ],
  }, [times, ...series.map(({ values }) => values)], frame));
}

function draw() {
  for (const chart of plots.splice(0)) chart.destroy();
  for (const place of document.querySelectorAll("[data-points]")) {
    place.replaceChildren();
    const rows = JSON.parse(place.dataset.points);
    const column = (at) => rows.map((row) => row[at]);
    plot(place, "People wanted", column(0), [{ label: "People", name: "--accent", fill: "--accent-wash", dash: [], border: "solid", values: column(1) }]);
    plot(place, "People in each run", column(0), [
      { label: "New", name: "--good", dash: [], border: "solid", values: column(2) },
      { label: "Changed", name: "--accent", dash: [7, 4], border: "dashed", values: column(3) },
      { label: "Gone", name: "--medium", dash: [2, 3], border: "dotted", values: column(4) },
      { label: "Refused", name: "--high", dash: [10, 3, 2, 3], border: "dashed", values: column(5) },
    ]);
  }
}

// What runs

let failures = 0;
let timer = 0;

function showRunning(main, running) {
  for (const row of document.querySelectorAll("[data-customer]")) {
    row.querySelector("[data-going]").hidden = !(row.dataset.customer in running);
  }
  for (const place of document.querySelectorAll("[data-running]")) place.textContent = numbers.format(Object.keys(running).length);
  const live = document.getElementById("live");
  if (!live) return;
  const one = running[main.dataset.live];
  live.hidden = !one;
  if (!one) return;
  live.querySelector("[data-seconds]").textContent = `for ${span(one.seconds)}`;
  live.querySelector("[data-done]").replaceChildren(...Object.entries(one.done).map(([what, count]) => {
    const step = make("li", "");
    step.append(make("b", numbers.format(count)), ` ${what}`);
    return step;
  }));
}

/** The same page anew, unless somebody is amid a form. */
async function renew(main) {
  const active = document.activeElement;
  if (main.contains(active) && active.matches("input, select, textarea")) return;
  if (main.querySelector("details[open]")) return;
  const answer = await fetch(location.href, { headers: { accept: "text/html" } });
  if (!answer.ok || answer.redirected) return location.reload();
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("main");
  const id = main.contains(active) ? active.id : "";
  main.replaceChildren(...fresh.childNodes);
  main.dataset.mark = fresh.dataset.mark;
  if (id) document.getElementById(id)?.focus();
  draw();
  tellTimes();
}

async function look(main) {
  const name = main.dataset.live;
  try {
    const answer = await fetch(`/api/live${name ? `?customer=${encodeURIComponent(name)}` : ""}`);
    if (answer.status === 401) return location.reload();
    if (!answer.ok) throw new Error(answer.status);
    const { running, mark } = await answer.json();
    failures = 0;
    document.querySelector(".lost")?.remove();
    showRunning(main, running);
    if (mark !== main.dataset.mark) await renew(main); // the page's own is from before anything of it was read
  } catch {
    failures += 1;
    if (failures === 3) main.prepend(make("p", "The service does not answer just now; what is shown may be old.", { class: "note odd lost", role: "status" }));
  }
}

function follow(main) {
  const again = async () => {
    if (!document.hidden) await look(main);
    timer = setTimeout(again, LOOK * Math.min(1 + failures, 10));
  };
  document.addEventListener("visibilitychange", () => {
    clearTimeout(timer);
    again();
  });
  again();
}

// Searching on

async function goOn() {
  const found = document.getElementById("found");
  let seenSoFar = found ? found.querySelectorAll("tbody tr").length : 0;
  while (found?.dataset.further && seenSoFar < 500) {
    const answer = await fetch(found.dataset.further, { headers: { accept: "text/html" } });
    if (!answer.ok || answer.redirected) return;
    const next = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("found");
    found.querySelector("tbody").append(...next.querySelectorAll("tbody tr"));
    seenSoFar = found.querySelectorAll("tbody tr").length;
    found.querySelector("table").hidden = !seenSoFar;
    const share = next.querySelector("[data-share]").textContent;
    const people = `${numbers.format(seenSoFar)} ${seenSoFar === 1 ? "person" : "people"}`;
    const about = share.match(/about.*/);
    found.querySelector("[data-share]").textContent = about ? `${people} found so far; ${about}` : seenSoFar ? `${people} found.` : "Nobody was found.";
    found.querySelector("[data-go-on]")?.replaceWith(next.querySelector("[data-go-on]") || "");
    if (next.dataset.further) found.dataset.further = next.dataset.further;
    else delete found.dataset.further;
  }
}

document.addEventListener("keydown", (event) => {
  const typing = event.target.matches("input, select, textarea");
  if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey && !event.altKey) {
    const field = document.getElementById("search");
    if (field) {
      event.preventDefault();
      field.focus();
    }
  }
  if (event.key === "Escape") {
    for (const open of document.querySelectorAll("details.pop[open]")) {
      open.open = false;
      open.querySelector("summary").focus();
    }
  }
});
document.addEventListener("change", (event) => {
  if (event.target.id === "sort") event.target.form.requestSubmit();
});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
addEventListener("resize", () => {
  for (const chart of plots) chart.setSize({ width: chart.root.parentElement.clientWidth, height: 160 });
});

const main = document.getElementById("main");
draw();
tellTimes();
setInterval(tellTimes, 10_000);
if (main.hasAttribute("data-live")) follow(main);
goOn();
document.documentElement.dataset.ready = "";
