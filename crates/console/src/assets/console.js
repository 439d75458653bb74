// Keeps pages fresh and lets the inbox be worked by keyboard. Every page works without it.
"use strict";
(() => {
  const main = () => document.getElementById("main");
  let pressed = false;
  // What somebody is about to do must not move away under their hand: typing, choosing, clicking, copying.
  const busy = () => {
    const at = document.activeElement, copied = document.getSelection();
    const typing = at && main().contains(at) && /^(INPUT|SELECT|TEXTAREA)$/.test(at.tagName);
    const copying = copied && !copied.isCollapsed && main().contains(copied.anchorNode);
    return pressed || typing || copying || main().querySelector("input[name=item]:checked") !== null;
  };

  let fetching = false, again = false;
  async function refresh() {
    if (document.hidden || busy() || fetching) { again = true; return; }
    fetching = true; again = false;
    try {
      const answer = await fetch(location.href, { headers: { accept: "text/html" } });
      if (answer.redirected) { location.reload(); return; }
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
      if (busy()) again = true;
      else replace(fresh);
    } catch { /* The process is away for a moment: the next change or the next minute tries again. */ }
    finally { fetching = false; if (again) setTimeout(once, 1000); }
  }
  const once = () => { if (again && !busy()) refresh(); };

  // What an element is, for finding it again in the page made anew.
  const sign = (at) => [at.dataset.item, at.getAttribute("href"), at.name, at.value].join(" ");
  const alike = (at) => [...main().querySelectorAll(at.tagName)].filter((other) => sign(other) === sign(at));

  function replace(fresh) {
    const at = document.activeElement, inside = at && at !== main() && main().contains(at);
    const [place, before] = [inside ? alike(at).indexOf(at) : 0, window.scrollY];
    const aside = [...main().querySelectorAll(".scroll")].map((box) => box.scrollLeft);
    const chosen = [...main().querySelectorAll("select")].map((field) => field.value);
    main().replaceChildren(...fresh.getElementById("main").childNodes);
    const [nav, news] = [document.querySelector("header nav"), fresh.querySelector("header nav")];
    if (nav && news && !nav.contains(at)) nav.replaceChildren(...news.childNodes);
    const [old, troubles] = [document.querySelector(".troubles"), fresh.querySelector(".troubles")];
    if (old) old.remove();
    if (troubles) main().before(troubles);
    main().querySelectorAll(".scroll").forEach((box, nth) => { box.scrollLeft = aside[nth] || 0; });
    main().querySelectorAll("select").forEach((field, nth) => { if (chosen[nth] !== undefined) field.value = chosen[nth]; });
    // Where the same is there no more, the next one like it stands in its place.
    if (inside) (alike(at)[place] || cards()[0])?.focus({ preventScroll: true });
    window.scrollTo(0, before);
  }

  if (main() && main().hasAttribute("data-live") && window.EventSource) {
    let events = null, planned = null;
    const listen = () => {
      events = new EventSource("/api/v1/events");
      events.addEventListener("change", () => {
        planned = planned || setTimeout(() => { planned = null; refresh(); }, 150);
      });
    };
    listen();
    setInterval(refresh, 15000);
    // What goes on without a line in the history is looked at again and again until it is done.
    setInterval(() => { if (document.querySelector("[data-soon]")) refresh(); }, 1000);
    // A browser opens few lines to one place: a page that nobody sees gives its own back.
    document.addEventListener("visibilitychange", () => {
      if (document.hidden) { events.close(); return; }
      listen();
      refresh();
    });
    document.addEventListener("pointerdown", () => { pressed = true; });
    for (const end of ["pointerup", "pointercancel", "blur"]) {
      window.addEventListener(end, () => { pressed = false; setTimeout(once, 0); });
    }
    for (const end of ["change", "selectionchange", "focusout"]) {
      document.addEventListener(end, () => setTimeout(once, 0));
    }
  }

  // A search looks for a moment and says where to go on: that is done by itself, until there is a page of hits.
  async function further(card) {
    for (;;) {
      const more = card.querySelector(".more a");
      if (!more || card.querySelectorAll("ul.found > li").length >= 50) return;
      more.textContent = "Looking further …";
      let fresh = null;
      try {
        const answer = await fetch(more.href, { headers: { accept: "text/html" } });
        if (!answer.ok || answer.redirected) throw new Error(answer.statusText);
        fresh = new DOMParser().parseFromString(await answer.text(), "text/html").querySelector("[data-further]");
      } catch { more.textContent = "Look further"; return; }
      const [hits, here] = [fresh.querySelector("ul.found"), card.querySelector("ul.found")];
      if (hits && here) here.append(...hits.children);
      else if (hits || !here) (here || card.querySelector(".nothing")).replaceWith(hits || fresh.querySelector(".nothing"));
      const next = fresh.querySelector(".more");
      if (next) card.querySelector(".more").replaceWith(next);
      else card.querySelector(".more").remove();
    }
  }
  document.querySelectorAll("[data-further]").forEach(further);

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
    // A key that is held down moves, and does nothing else again and again.
    if (event.repeat && !/^[jk]$/.test(event.key)) return;
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
  // What was sent is sent once, and Enter on a box chooses nothing else.
  document.addEventListener("submit", (event) => {
    if ("sent" in event.target.dataset) event.preventDefault();
    event.target.dataset.sent = "";
  });
  window.addEventListener("pageshow", () => {
    for (const form of document.querySelectorAll("form[data-sent]")) delete form.dataset.sent;
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && event.target.type === "checkbox") event.preventDefault();
  });
  document.addEventListener("change", (event) => {
    if (!("all" in event.target.dataset)) return;
    for (const box of document.querySelectorAll("input[name=item]")) box.checked = event.target.checked;
  });
  // After an answer the page is made anew: the first card is the next one to answer.
  if (cards().length && document.referrer.startsWith(location.origin + "/inbox")) focus(cards()[0]);
})();
