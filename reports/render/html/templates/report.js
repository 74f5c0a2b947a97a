"use strict";
(() => {
  const $ = (id) => document.getElementById(id);

  // An old page looks like a fresh one: it says how old it is.
  const ago = () => {
    for (const place of document.querySelectorAll("[data-ago]")) {
      const minutes = Math.round((Date.now() - new Date(place.dataset.ago)) / 60000);
      if (!(minutes >= 1)) continue;
      const hours = Math.round(minutes / 60);
      const text = minutes < 120 ? `${minutes} min` : hours < 48 ? `${hours} h` : words.days.replace("{days}", Math.round(hours / 24));
      place.textContent = words.ago.replace("{duration}", text);
      place.classList.toggle("stale", minutes >= 60);
    }
  };
  ago();
  setInterval(ago, 30000);

  // A link leads nowhere where its place is folded.
  const unfold = () => {
    const place = $(decodeURIComponent(location.hash.slice(1)));
    if (!place) return;
    for (let node = place; node; node = node.parentElement) {
      if (node.matches("details")) node.open = true;
    }
    place.scrollIntoView();
  };
  addEventListener("hashchange", unfold);
  if (location.hash) unfold();

  const byHand = (node) => {
    for (let part = node; part; part = part.parentElement) {
      if (part.matches("details")) part.open = true;
    }
    const range = document.createRange();
    range.selectNodeContents(node);
    const selection = getSelection();
    selection.removeAllRanges();
    selection.addRange(range);
    return document.execCommand("copy");
  };
  for (const button of document.querySelectorAll(".copy")) {
    const label = button.textContent;
    button.hidden = false;
    button.addEventListener("click", async () => {
      const source = $(button.dataset.of) ?? button.closest(".command").querySelector("code");
      let done = true;
      try {
        await navigator.clipboard.writeText(source.textContent);
      } catch {
        done = byHand(source);
      }
      button.textContent = done ? words.copied : words.select;
      $("said").textContent = done ? words.copied : words.refused;
      setTimeout(() => { button.textContent = label; $("said").textContent = ""; }, 2500);
    });
  }
})();
