"use strict";

// What the charts of the report and of the console have in common.

/** A colour of the style sheet, as a canvas takes it, in the theme of the moment. */
function colour(name) {
  const probe = document.createElement("i");
  probe.hidden = true;
  probe.style.color = `var(${name})`;
  document.body.append(probe);
  const { color } = getComputedStyle(probe);
  probe.remove();
  return color;
}

function axis(more) {
  const line = { stroke: colour("--line"), width: 1 };
  return { stroke: colour("--soft"), font: "12px system-ui, sans-serif", grid: line, ticks: { ...line, size: 4 }, ...more };
}
