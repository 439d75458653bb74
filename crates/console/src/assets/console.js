// Keeps pages fresh and lets the inbox be worked by keyboard. Every page works without it.
"use strict";
(() => {
  const main = () => document.getElementById("main");
  // What somebody is about to do must not move away under their hand.
  const busy = () => {
    const at = document.activeElement;
    const typing = at && main().contains(at) && /^(INPUT|SELECT|TEXTAREA)$/.test(at.tagName);
    return typing || main().querySelector("input[name=item]:checked") !== null;
  };

  let fetching = false, again = false;
  async function refresh() {
    if (busy()) { again = true; return; }
    if (fetching) { again = true; return; }
    fetching = true; again = false;
    try {
      const answer = await fetch(location.href, { headers: { accept: "text/html" } });
      if (answer.redirected) { location.reload(); return; }
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
      if (!busy()) replace(fresh);
    } catch { /* The process is away for a moment: the next change or the next minute tries again. */ }
    finally { fetching = false; if (again && !busy()) setTimeout(refresh, 1000); }
  }

  function replace(fresh) {
    const focused = document.activeElement && document.activeElement.dataset.item;
    const scrolled = window.scrollY;
    main().replaceChildren(...fresh.getElementById("main").childNodes);
    const [nav, news] = [document.querySelector("header nav"), fresh.querySelector("header nav")];
    if (nav && news) nav.replaceChildren(...news.childNodes);
    const [old, troubles] = [document.querySelector(".troubles"), fresh.querySelector(".troubles")];
    if (old) old.remove();
    if (troubles) main().before(troubles);
    if (focused) focus(main().querySelector(`[data-item="${focused}"]`));
    window.scrollTo(0, scrolled);
  }

  if (main() && main().hasAttribute("data-live") && window.EventSource) {
    const events = new EventSource("/api/v1/events");
    let planned = null;
    events.addEventListener("change", () => {
      planned = planned || setTimeout(() => { planned = null; refresh(); }, 150);
    });
    setInterval(refresh, 15000);
    document.addEventListener("change", () => { if (again && !busy()) refresh(); });
    document.addEventListener("focusout", () => setTimeout(() => { if (again && !busy()) refresh(); }, 0));
  }

  const cards = () => [...document.querySelectorAll("[data-item]")];
  const current = () => document.activeElement && document.activeElement.closest("[data-item]");
  function focus(card) { if (card) { card.focus(); card.scrollIntoView({ block: "nearest" }); } }
  function step(by) {
    const all = cards(), at = all.indexOf(current());
    focus(all[at < 0 ? 0 : Math.min(Math.max(at + by, 0), all.length - 1)]);
  }
  const tick = (card) => card && card.querySelector("input[name=item]");

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const at = event.target;
    if (/^(SELECT|TEXTAREA)$/.test(at.tagName) || (at.tagName === "INPUT" && at.type !== "checkbox")) {
      if (event.key === "Escape") at.blur();
      return;
    }
    if (event.key === "/") { event.preventDefault(); document.getElementById("q")?.focus(); return; }
    if (!cards().length) return;
    if (event.key === "j") step(1);
    else if (event.key === "k") step(-1);
    else if (event.key === "x") { const box = tick(current()); if (box) box.checked = !box.checked; }
    else if (/^[1-9]$/.test(event.key)) current()?.querySelector(`[data-choice="${event.key}"]`)?.click();
    else {
      const act = document.querySelector(`.bulk [data-key="${event.key}"]`);
      if (!act) return;
      const none = !document.querySelector("input[name=item]:checked");
      const box = tick(current());
      if (none && box) box.checked = true;
      act.click();
    }
    event.preventDefault();
  });
  document.addEventListener("change", (event) => {
    if (!("all" in event.target.dataset)) return;
    for (const box of document.querySelectorAll("input[name=item]")) box.checked = event.target.checked;
  });
  // After an answer the page is made anew: the first card is the next one to answer.
  if (cards().length && document.referrer.startsWith(location.origin + "/inbox")) focus(cards()[0]);
})();
