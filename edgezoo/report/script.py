"""The page's JavaScript: draws plots in the reader's colour scheme and width, opens linked details."""

SCRIPT = """
(function () {
  "use strict";
  var settings = { displayModeBar: false, responsive: true, displaylogo: false };

  function colours(value, styles) {
    if (typeof value === "string") {
      var name = /^var\\((--[a-z0-9-]+)\\)$/.exec(value);
      return name ? styles.getPropertyValue(name[1]).trim() : value;
    }
    if (Array.isArray(value)) {
      return value.map(function (item) { return colours(item, styles); });
    }
    if (value && typeof value === "object") {
      var copy = {};
      Object.keys(value).forEach(function (key) { copy[key] = colours(value[key], styles); });
      return copy;
    }
    return value;
  }

  function draw(within) {
    if (!window.Plotly) { return; }
    var styles = getComputedStyle(document.documentElement);
    within.querySelectorAll("[data-figure]").forEach(function (place) {
      if (place.closest("details:not([open])")) { return; }  // drawn when it opens
      var text = document.getElementById(place.dataset.figure).textContent;
      var figure = colours(JSON.parse(text), styles);
      figure.data.forEach(function (trace) {
        if (trace.meta && trace.meta.narrow && place.clientWidth < 560) {
          Object.assign(trace, trace.meta.narrow);
        }
      });
      Plotly.react(place, figure.data, figure.layout, settings);
    });
  }

  function openTarget() {
    var target = location.hash && document.getElementById(location.hash.slice(1));
    if (!target || !target.closest("details")) { return; }
    for (var at = target.closest("details"); at; at = at.parentElement.closest("details")) {
      at.open = true;
    }
    target.scrollIntoView();
  }

  function drawAll() { draw(document); }

  drawAll();
  openTarget();
  document.addEventListener("toggle", function (event) { draw(event.target); }, true);
  window.addEventListener("hashchange", openTarget);
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAll);
  window.matchMedia("(max-width: 40rem)").addEventListener("change", drawAll);
})();
"""
