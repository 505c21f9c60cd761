"use strict";
// Shows the cells that fit all that is asked for; a case without any is hidden, and so is its row of the matrix.
const form = document.getElementById("filter");
const cells = [...document.querySelectorAll("[data-cell]")];
const groups = [...document.querySelectorAll("[data-group]")];
const all = document.querySelectorAll("article[data-cell]").length;
const shown = document.getElementById("shown");

function fits(cell) {
  const asked = new FormData(form);
  const words = asked.get("case").trim().toLowerCase();
  return (!words || cell.dataset.case.toLowerCase().includes(words))
    && ["device", "dtype", "verdict"].every((name) => !asked.get(name) || asked.get(name) === cell.dataset[name]);
}

function apply() {
  for (const cell of cells) cell.hidden = !fits(cell);
  for (const group of groups) group.hidden = !group.querySelector("[data-cell]:not([hidden])");
  const count = cells.filter((cell) => cell.matches("article") && !cell.hidden).length;
  shown.textContent = `${count} of ${all} cells`;
}

for (const event of ["input", "change"]) form.addEventListener(event, apply);
form.addEventListener("reset", () => setTimeout(apply));
form.addEventListener("submit", (event) => event.preventDefault());
apply();
