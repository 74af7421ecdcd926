"use strict";

// How findings, strangers and grants of people who left have moved. Lines differ in dashes, not in colour alone.

const SERIES = [
  { label: "Findings", at: 5, colour: "--accent", dash: [], border: "solid" },
  { label: "Strangers", at: 3, colour: "--high", dash: [7, 4], border: "dashed" },
  { label: "Left", at: 4, colour: "--medium", dash: [2, 3], border: "dotted" },
];
const points = parsed("trend").filter(([time]) => !Number.isNaN(Date.parse(time)));
const frame = document.getElementById("trend-chart");
let chart = null;

/** A day is named where it begins: reports may lie minutes apart. */
const once = (texts) => texts.map((text, i) => (text === texts[i - 1] ? "" : text));

function drawTrend() {
  if (!frame || points.length < 2) return;
  if (chart) chart.destroy();
  const short = new Intl.DateTimeFormat(locale, { day: "numeric", month: "short" });
  // While nothing is pointed at, the legend tells the last figures.
  const last = (plot) => plot.cursor.idx == null && plot.setLegend({ idx: points.length - 1 });
  const line = ({ label, colour: name, dash }) => ({
    label, stroke: colour(name), width: 2, dash, points: { show: points.length < 40, size: 6, fill: colour("--card") },
    value: (_, value) => (value === null ? "–" : numbers.format(value)),
  });
  chart = new uPlot({
    width: frame.clientWidth,
    height: 220,
    cursor: { drag: { x: false, y: false } },
    legend: { markers: { width: 2, dash: (_, at) => SERIES[at - 1].border } },
    hooks: { ready: [last], setCursor: [last] },
    scales: { y: { range: (_, low, high) => [0, Math.max(4, high * 1.1)] } },
    axes: [
      axis({ values: (_, splits) => once(splits.map((second) => short.format(second * 1000))), space: 90, size: 34 }),
      axis({ values: (_, splits) => splits.map((value) => (Number.isInteger(value) ? numbers.format(value) : "")), size: 56 }),
    ],
    series: [{ label: "Report", value: (_, second) => (second === null ? "" : moments.format(second * 1000)) }, ...SERIES.map(line)],
  }, [points.map(([time]) => Date.parse(time) / 1000), ...SERIES.map(({ at }) => points.map((point) => point[at]))], frame);
}

function watchTrend() {
  if (!frame) return;
  drawTrend();
  new ResizeObserver(() => chart && frame.clientWidth && chart.setSize({ width: frame.clientWidth, height: 220 })).observe(frame);
}
