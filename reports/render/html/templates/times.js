"use strict";
// What the scripts say, in the language of the page.
const words = JSON.parse(document.currentScript.dataset.words);
(() => {
  const { lang } = document.documentElement;
  const locale = lang === "en" ? "en-GB" : lang;
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
    time.textContent = at.toLocaleString(locale, forms[time.dataset.form]);
  }
  for (const place of document.querySelectorAll("[data-zone]")) {
    const parts = new Intl.DateTimeFormat(locale, { timeZoneName: "short" }).formatToParts();
    place.textContent = parts.find((part) => part.type === "timeZoneName").value;
  }
})();
