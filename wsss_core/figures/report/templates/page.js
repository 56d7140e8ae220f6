"use strict";
(() => {
  const byId = (id) => document.getElementById(id);
  const tools = byId("tools");
  if (!tools) return;
  const scores = JSON.parse(byId("image-scores").textContent);
  const list = byId("shots");
  const shots = [...list.querySelectorAll(".shot")];
  const control = {};
  for (const id of ["by-class", "order", "method", "over", "stage"]) control[id] = byId(id);

  const isDifference = () => control.order.value === "gain" || control.order.value === "loss";

  // The number by which an image is sorted; undefined if a method has not reached the stage.
  function value(shot) {
    const own = scores[shot.dataset.id] || {};
    const stage = control.stage.value;
    const score = own[`${control.method.value} ${stage}`];
    if (!isDifference()) return score;
    const other = own[`${control.over.value} ${stage}`];
    return score === undefined || other === undefined ? undefined : score - other;
  }

  function label(number) {
    if (number === undefined) return "not scored";
    const stage = control.stage.selectedOptions[0].textContent;
    if (!isDifference()) return `${control.method.value}, ${stage}: ${number.toFixed(1)}`;
    const sign = number < 0 ? "−" : "+";
    return `${control.method.value} over ${control.over.value}, ${stage}: ${sign}${Math.abs(number).toFixed(1)}`;
  }

  function update() {
    const rising = control.order.value === "low" || control.order.value === "loss";
    byId("over-label").hidden = !isDifference();
    const rows = shots.map((shot) => ({ shot, number: value(shot) }));
    rows.sort((a, b) => {
      if (a.number === undefined || b.number === undefined) {
        return (a.number === undefined) - (b.number === undefined);
      }
      return rising ? a.number - b.number : b.number - a.number;
    });
    const name = control["by-class"].value;
    let count = 0;
    for (const { shot, number } of rows) {
      shot.hidden = name !== "" && !JSON.parse(shot.dataset.classes).includes(name);
      shot.querySelector(".value").textContent = label(number);
      count += shot.hidden ? 0 : 1;
    }
    list.append(...rows.map((row) => row.shot));
    byId("count").textContent = `${count} of ${shots.length} images`;
    byId("none").hidden = count > 0;
  }

  // A checkbox shows or hides the rows of a method or the columns of a stage.
  function showOrHide(box) {
    for (const cell of list.querySelectorAll(`[data-${box.dataset.hides}]`)) {
      if (cell.dataset[box.dataset.hides] === box.value) cell.hidden = !box.checked;
    }
  }

  tools.addEventListener("submit", (event) => event.preventDefault());
  for (const one of Object.values(control)) one.addEventListener("change", update);
  for (const box of tools.querySelectorAll("[data-hides]")) {
    box.addEventListener("change", () => showOrHide(box));
  }
  byId("worst").addEventListener("click", () => {
    control.order.value = "low";
    update();
    list.scrollIntoView();
  });
  byId("strength").addEventListener("input", (event) => {
    document.documentElement.style.setProperty("--strength", event.target.value / 100);
  });
  byId("size").value = parseInt(getComputedStyle(document.documentElement).getPropertyValue("--thumb"), 10);
  byId("size").addEventListener("input", (event) => {
    list.style.setProperty("--thumb", `${event.target.value}px`);
  });
  update();
})();
