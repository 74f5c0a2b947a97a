"use strict";
(() => {
  const $ = (id) => document.getElementById(id);
  const form = document.querySelector(".filter");
  const text = $("filter-text");
  const status = $("filter-status");
  const checks = [...document.querySelectorAll(".check")].map((row) => ({
    row, status: row.dataset.status, words: row.textContent.toLowerCase(),
  }));
  const groups = [...document.querySelectorAll(".group")];

  const filter = () => {
    const words = text.value.toLowerCase().split(/\s+/).filter(Boolean);
    const wanted = status.value;
    let shown = 0;
    for (const check of checks) {
      const fits = (!wanted || (wanted === "!passed" ? check.status !== "passed" : check.status === wanted))
        && words.every((word) => check.words.includes(word));
      check.row.hidden = !fits;
      shown += fits;
    }
    for (const group of groups) group.hidden = !group.querySelector(".check:not([hidden])");
    $("filter-none").hidden = shown > 0 || !checks.length;
    $("filter-count").textContent = `${shown} of ${checks.length} shown`;
  };
  const showAll = () => { form.reset(); filter(); };

  form.hidden = !checks.length;
  form.addEventListener("input", filter);
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("reset", () => setTimeout(filter));
  document.addEventListener("keydown", (event) => {
    const typing = event.target.closest("input, textarea");
    if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey && !event.altKey) {
      event.preventDefault();
      text.focus();
    } else if (event.key === "Escape" && form.contains(event.target)) {
      showAll();
    }
  });
  // A link leads nowhere where the filter hides the check, or the evidence is folded.
  addEventListener("hashchange", () => {
    const place = $(location.hash.slice(1));
    if (place?.hidden) { showAll(); place.scrollIntoView(); }
    if (place?.matches("details")) place.open = true;
  });
  filter();

  const byHand = (node) => {
    const range = document.createRange();
    range.selectNodeContents(node);
    const selection = getSelection();
    selection.removeAllRanges();
    selection.addRange(range);
    return document.execCommand("copy");
  };
  for (const button of document.querySelectorAll(".copy")) {
    button.hidden = false;
    button.addEventListener("click", async () => {
      const code = button.closest(".command").querySelector("code");
      let done = true;
      try {
        await navigator.clipboard.writeText(code.textContent);
      } catch {
        done = byHand(code);
      }
      button.textContent = done ? "Copied" : "Select and copy";
      $("said").textContent = done ? "Copied" : "Copying is not allowed here: select the text";
      setTimeout(() => { button.textContent = "Copy"; $("said").textContent = ""; }, 2500);
    });
  }
})();
