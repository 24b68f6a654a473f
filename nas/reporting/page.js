"use strict";
// Plots, the table of trials, and the divider between two pictures.
(() => {
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const touch = matchMedia("(pointer: coarse)").matches;
  const themes = JSON.parse(document.getElementById("themes").textContent);
  const drawn = new Set();

  function draw(id) {
    const source = document.querySelector(`script[data-plot="${id}"]`);
    const { data, layout } = JSON.parse(source.textContent);
    layout.template = dark.matches ? themes.dark : themes.light;
    // A finger that drags moves the page, not the axes.
    if (touch) layout.dragmode = false;
    drawn.add(id);
    return Plotly.react(id, data, layout, {
      responsive: true,
      displaylogo: false,
      displayModeBar: touch ? false : "hover",
      modeBarButtonsToRemove: ["select2d", "lasso2d", "autoScale2d"],
    }).then(() => { document.getElementById(id).dataset.drawn = ""; });
  }

  // Far plots wait until they are nearly seen: the page opens with the first one.
  const watcher = new IntersectionObserver((entries) => {
    for (const entry of entries.filter((entry) => entry.isIntersecting)) {
      watcher.unobserve(entry.target);
      draw(entry.target.id);
    }
  }, { rootMargin: "300px" });
  for (const place of document.querySelectorAll(".drawing")) watcher.observe(place);
  dark.addEventListener("change", () => drawn.forEach(draw));
  addEventListener("beforeprint", () => {
    for (const place of document.querySelectorAll("figure:not([hidden]) .drawing")) {
      if (!drawn.has(place.id)) draw(place.id);
    }
  });

  for (const group of document.querySelectorAll("[data-switch]")) {
    group.addEventListener("change", () => {
      for (const option of group.querySelectorAll("input")) {
        document.getElementById(option.value).parentElement.hidden = !option.checked;
      }
    });
  }

  for (const comparison of document.querySelectorAll("[data-comparison]")) {
    const stage = comparison.querySelector(".stage");
    const range = comparison.querySelector("input[type=range]");
    const sources = new Map(
      [...comparison.querySelectorAll("[data-crop]")].map((image) => [image.dataset.crop, image]),
    );
    for (const select of comparison.querySelectorAll("select")) {
      const image = stage.querySelector(`.${select.dataset.side}`);
      const show = () => {
        image.src = sources.get(select.value).src;
        image.alt = `${select.dataset.side}: ${select.value}`;
      };
      select.addEventListener("change", show);
      show();
    }
    const move = () => {
      stage.style.setProperty("--split", `${range.value}%`);
      range.setAttribute("aria-valuetext", `left picture on ${range.value} percent`);
    };
    range.addEventListener("input", move);
    move();
    const follow = (event) => {
      if (event.type === "pointermove" && !event.buttons) return;
      const box = stage.getBoundingClientRect();
      range.value = (100 * (event.clientX - box.left)) / box.width;
      move();
    };
    stage.addEventListener("pointerdown", follow);
    stage.addEventListener("pointermove", follow);
  }

  const table = document.getElementById("table");
  const body = table.tBodies[0];
  const rows = [...body.rows];
  const words = new Map(rows.map((row) => [row, row.textContent.toLowerCase()]));
  const find = document.getElementById("find");
  const status = document.getElementById("status");
  const count = document.getElementById("count");

  function filter() {
    const wanted = find.value.toLowerCase().split(",").map((part) => part.trim()).filter(Boolean);
    let shown = 0;
    for (const row of rows) {
      const fits = (!status.value || row.dataset.status === status.value)
        && wanted.every((word) => words.get(row).includes(word));
      row.hidden = !fits;
      shown += fits;
    }
    count.textContent = `${shown} of ${rows.length} trials`;
  }
  find.addEventListener("input", filter);
  status.addEventListener("change", filter);
  filter();

  function compare(a, b) {
    return typeof a === "number" ? a - b : a.localeCompare(b);
  }
  function sort(header) {
    const column = header.cellIndex;
    const value = (row) => {
      const cell = row.cells[column];
      if (!header.classList.contains("number")) return cell.textContent;
      return cell.dataset.sort === undefined ? null : Number(cell.dataset.sort);
    };
    const opposite = { ascending: "descending", descending: "ascending" };
    const order = opposite[header.getAttribute("aria-sort")] ?? header.dataset.first;
    for (const other of header.parentElement.cells) other.removeAttribute("aria-sort");
    header.setAttribute("aria-sort", order);
    const keyed = rows.map((row) => [value(row), row]);
    const sign = order === "ascending" ? 1 : -1;
    // What has no value stays at the end, whichever way.
    keyed.sort(([a], [b]) => (a === null) - (b === null) || (a === null ? 0 : sign * compare(a, b)));
    body.append(...keyed.map(([, row]) => row));
  }
  for (const header of table.tHead.rows[0].cells) {
    header.firstElementChild.addEventListener("click", () => sort(header));
  }
})();
