"use strict";
(() => {
  const form = document.getElementById("find");
  const box = document.getElementById("search");
  const hits = document.getElementById("hits");
  const chips = [...form.querySelectorAll(".chip")];
  // Who searches wants what was found, not the drawing above it.
  const figures = [...document.querySelectorAll(".domain > figure")];
  const sections = [...document.querySelectorAll(".group")];
  const cards = [...document.querySelectorAll(".card")].map((card) => ({
    card,
    text: card.textContent.toLowerCase(),
    columns: [...card.querySelectorAll(".column")],
    details: card.querySelector("details"),
  }));
  let group = "";

  const apply = () => {
    const words = box.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const { card, text, columns, details } of cards) {
      const hit = (!group || card.dataset.group === group) && words.every((word) => text.includes(word));
      card.hidden = !hit;
      shown += hit;
      let found = 0;
      for (const column of columns) {
        const named = words.some((word) => column.textContent.toLowerCase().includes(word));
        column.classList.toggle("found", named);
        found += named;
      }
      details.open = hit && found > 0;
    }
    for (const section of sections) section.hidden = !section.querySelector(".card:not([hidden])");
    for (const figure of figures) figure.hidden = words.length > 0 || group !== "";
    hits.textContent = words.length || group ? `${shown} of ${cards.length} match` : "";
  };

  form.addEventListener("submit", (event) => event.preventDefault());
  box.addEventListener("input", apply);
  for (const chip of chips) {
    chip.addEventListener("click", () => {
      group = chip.dataset.group;
      for (const other of chips) other.setAttribute("aria-pressed", String(other === chip));
      apply();
    });
  }
  document.addEventListener("keydown", (event) => {
    if (event.key === "/" && document.activeElement !== box) {
      event.preventDefault();
      box.focus();
    }
  });
  form.hidden = false;
  apply();
})();
