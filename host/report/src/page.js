"use strict";

// Sorts a table by a column: numbers by value, cells without a number last.
function sortBy(header) {
  const table = header.closest("table");
  const column = [...header.parentNode.children].indexOf(header);
  const direction = header.getAttribute("aria-sort") === "ascending" ? -1 : 1;
  for (const other of header.parentNode.children) other.removeAttribute("aria-sort");
  header.setAttribute("aria-sort", direction === 1 ? "ascending" : "descending");
  const body = table.tBodies[0];
  const text = row => row.children[column].textContent.trim();
  const compare = (a, b) => {
    const [x, y] = [text(a), text(b)];
    if (x === "" || y === "") return (x === "") - (y === "");
    const difference = Number(x) - Number(y);
    return direction * (Number.isNaN(difference) ? x.localeCompare(y) : difference);
  };
  body.append(...[...body.rows].sort(compare));
}

// Shows the slice that a slider is set to.
function showSlice(slider) {
  const overlay = slider.closest(".overlay");
  const slice = JSON.parse(overlay.querySelector("script").textContent)[slider.value];
  overlay.querySelector(".z").textContent = slice.z;
  overlay.querySelector(".reference").src = "data:image/png;base64," + slice.reference;
  overlay.querySelector(".prediction").src = "data:image/png;base64," + slice.prediction;
}

for (const header of document.querySelectorAll(".sortable th")) {
  header.addEventListener("click", () => sortBy(header));
}
for (const slider of document.querySelectorAll(".overlay input")) {
  slider.addEventListener("input", () => showSlice(slider));
  showSlice(slider);
}
