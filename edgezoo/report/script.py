"""The page's JavaScript: draws plots in the reader's colour scheme, opens linked details."""

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

  function draw() {
    var styles = getComputedStyle(document.documentElement);
    document.querySelectorAll("[data-figure]").forEach(function (place) {
      var text = document.getElementById(place.dataset.figure).textContent;
      var figure = colours(JSON.parse(text), styles);
      Plotly.react(place, figure.data, figure.layout, settings);
    });
  }

  function openTarget() {
    var target = location.hash && document.getElementById(location.hash.slice(1));
    if (target && target.tagName === "DETAILS") {
      target.open = true;
      target.scrollIntoView();
    }
  }

  if (window.Plotly) { draw(); }
  openTarget();
  window.addEventListener("hashchange", openTarget);
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
})();
"""
