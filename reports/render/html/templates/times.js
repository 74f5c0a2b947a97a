"use strict";
(() => {
  // Times are written in UTC; here they become those of the reader.
  const clock = { hour: "2-digit", minute: "2-digit" };
  const day = { day: "numeric", month: "short" };
  const forms = {
    moment: { ...day, year: "numeric", ...clock, timeZoneName: "short" },
    short: { ...day, ...clock, timeZoneName: "short" },
    brief: { ...day, ...clock },
    clock: { ...clock, timeZoneName: "short" },
    hours: clock,
    days: day,
  };
  for (const time of document.querySelectorAll("time[data-form]")) {
    const at = new Date(time.dateTime);
    if (isNaN(at)) continue;
    time.title = time.textContent;
    time.textContent = at.toLocaleString("en-GB", forms[time.dataset.form]);
  }
  for (const place of document.querySelectorAll("[data-zone]")) {
    const parts = new Intl.DateTimeFormat("en-GB", { timeZoneName: "short" }).formatToParts();
    place.textContent = parts.find((part) => part.type === "timeZoneName").value;
  }
})();
