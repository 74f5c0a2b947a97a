(() => {
  const rows = [...document.querySelectorAll(".row")];
  const header = document.querySelector("header");
  const SKEW = 60;

  const long = (seconds) => {
    const minutes = Math.floor(seconds / 60);
    const hours = Math.floor(minutes / 60);
    if (minutes < 1) return "<1 min";
    return minutes < 120 ? `${minutes} min` : hours < 48 ? `${hours} h` : words.days.replace("{days}", Math.floor(hours / 24));
  };
  const age = (text) => (Date.now() - new Date(text)) / 1000;

  // The page knows the time when it is read, not only when it was written.
  const look = () => {
    for (const place of document.querySelectorAll("[data-age]")) {
      const seconds = age(place.dataset.age);
      const said = place.dataset.said ?? "{duration}";
      place.textContent = seconds < -SKEW ? words.future : said.replace("{duration}", long(seconds));
      place.hidden = isNaN(seconds);
    }
    const counts = {};
    for (const row of rows) {
      const { started, overdue, state, rank } = row.dataset;
      const seconds = started ? age(started) : 0;
      const late = seconds > Number(overdue) || seconds < -SKEW;
      row.classList.toggle("late", late);
      row.rank = !late ? Number(rank) : state === "incident" ? 1 : 3;
      const counted = late ? "overdue" : state;
      counts[counted] = (counts[counted] ?? 0) + 1;
    }
    for (const place of document.querySelectorAll("[data-count]")) {
      const number = counts[place.dataset.count] ?? 0;
      place.querySelector("b").textContent = number;
      place.classList.toggle("none", !number);
    }
    header.className = `top ${counts.incident ? "bad" : counts.unknown || counts.overdue ? "open" : counts["at risk"] ? "warn" : "good"}`;
    const sorted = [...rows].sort((one, other) => one.rank - other.rank);
    if (sorted.some((row, place) => row !== rows[place])) {
      rows.splice(0, rows.length, ...sorted);
      document.querySelector(".rows").append(...rows);
    }
  };
  look();
  setInterval(look, 10000);

  // The words are in the address, so that they outlive the next load and can be kept.
  const field = document.getElementById("filter");
  const filter = () => {
    const words = field.value.toLowerCase().split(/\s+/);
    let shown = 0;
    for (const row of rows) {
      const text = row.textContent.toLowerCase();
      row.hidden = !words.every((word) => text.includes(word));
      shown += !row.hidden;
    }
    document.getElementById("nothing").hidden = shown > 0;
  };
  if (field) {
    field.hidden = false;
    field.value = new URLSearchParams(location.search).get("show") ?? "";
    field.addEventListener("input", () => {
      filter();
      const address = new URL(location.href);
      address.search = field.value ? new URLSearchParams({ show: field.value }) : "";
      history.replaceState(null, "", address);
    });
    filter();
  }

  const refresh = Number(document.body.dataset.refresh);
  const trouble = document.querySelector(".trouble");
  const again = async () => {
    if (field && document.activeElement === field) return;
    try {
      // A server that is away would leave an error page on the wall, which never loads again.
      if (location.protocol !== "file:" && !(await fetch(location.href, { cache: "no-store" })).ok) throw new Error();
      location.reload();
    } catch {
      trouble.textContent = words.trouble;
      trouble.hidden = false;
    }
  };
  if (refresh) setInterval(again, refresh * 1000);
})();
