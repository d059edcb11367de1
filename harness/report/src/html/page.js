(function () {
  "use strict";
  var all = function (selector, within) { return Array.prototype.slice.call((within || document).querySelectorAll(selector)); };
  var box = document.getElementById("filter"), said = document.getElementById("said");
  var cases = all("details.case"), cells = all("a.k[href]"), chips = all(".chips button");
  var words = {};
  cases.forEach(function (one) { words[one.dataset.id] = (one.dataset.id + " " + one.dataset.k).toLowerCase(); });

  // Every word must be found: in the id, a rule, the outcome or the title.
  function filter() {
    var wanted = box.value.toLowerCase().split(/\s+/).filter(Boolean), shown = 0;
    var fits = function (id) { return wanted.every(function (word) { return words[id] !== undefined && words[id].indexOf(word) >= 0; }); };
    cases.forEach(function (one) { one.hidden = !fits(one.dataset.id); shown += one.hidden ? 0 : 1; });
    cells.forEach(function (cell) { cell.classList.toggle("dim", !fits(cell.title.split(": ")[0])); });
    chips.forEach(function (chip) { chip.setAttribute("aria-pressed", String(box.value === chip.value)); });
    said.textContent = shown + " of " + cases.length + " cases";
  }
  box.addEventListener("input", filter);
  chips.forEach(function (chip) {
    chip.addEventListener("click", function () { box.value = box.value === chip.value ? "" : chip.value; filter(); });
  });

  // A link to a case opens it.
  function open() {
    var target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    var one = target && target.closest("details.case");
    if (!one) { return; }
    if (one.hidden) { box.value = ""; filter(); }
    one.open = true;
    one.scrollIntoView();
    one.querySelector("summary").focus({ preventScroll: true });
  }
  window.addEventListener("hashchange", open);
  cells.forEach(function (cell) {
    cell.addEventListener("click", function () { if (cell.hash === location.hash) { open(); } });
  });

  // In the tables one cell is in the tab order; arrow keys go from cell to cell.
  all("table.rules").forEach(function (table) {
    var rows = all("tbody tr", table).map(function (row) { return all("a.k", row); }).filter(function (row) { return row.length; });
    var column = function (cell) { return cell.closest("td").cellIndex; };
    rows.forEach(function (row, at) { row.forEach(function (cell, nth) { cell.tabIndex = at || nth ? -1 : 0; }); });
    table.addEventListener("keydown", function (event) {
      var step = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0], Home: [0, -1e9], End: [0, 1e9] }[event.key];
      var here = event.target.closest && event.target.closest("a.k");
      if (!step || !here) { return; }
      event.preventDefault();
      var at = rows.findIndex(function (row) { return row.indexOf(here) >= 0; });
      var row = rows[Math.min(rows.length - 1, Math.max(0, at + step[0]))];
      var to = row.indexOf(here);
      if (step[0]) {
        to = row.findIndex(function (cell) { return column(cell) >= column(here); });
        to = to < 0 ? row.length - 1 : to;
      } else {
        to = Math.min(row.length - 1, Math.max(0, to + step[1]));
      }
      here.tabIndex = -1;
      row[to].tabIndex = 0;
      row[to].focus();
    });
  });

  all("button.copy").forEach(function (button) {
    button.hidden = !navigator.clipboard;
    button.addEventListener("click", function () {
      navigator.clipboard.writeText(button.parentNode.querySelector("code").textContent).then(function () {
        button.textContent = "Copied";
      }, function () {
        button.textContent = "Not copied";
      });
    });
  });
  all("button[data-open]").forEach(function (button) {
    button.addEventListener("click", function () {
      cases.forEach(function (one) { if (!one.hidden) { one.open = button.dataset.open === "1"; } });
    });
  });
  filter();
  open();
})();
