// What the page tests ask of a page, shadow roots included. Loaded into the page after it has settled.
window.probe = (() => {
  const article = () => document.querySelector("article") || document.querySelector("main") || document.body;
  const up = e => e.parentElement || e.getRootNode().host || null;
  const self_and_up = function* (e) { for (; e; e = up(e)) yield e; };
  const within = (e, selector) => [...self_and_up(e)].some(a => a.matches(selector));
  const shown = e => e.checkVisibility({ visibilityProperty: true }) && e.getClientRects().length > 0;
  const all = function* (root) {
    for (const e of root.querySelectorAll("*")) { yield e; if (e.shadowRoot) yield* all(e.shadowRoot); }
  };
  const visible = () => [...all(article())].filter(shown);
  const named = e => `<${e.localName}${e.id && " id=" + e.id}${e.classList.length ? " class=" + e.classList : ""}>`
    + ` ${(e.innerText || e.value || e.getAttribute("aria-label") || "").trim().slice(0, 40)}`;

  // Pictures, with the words that stand for them. Icons inside links and buttons have the words beside them.
  const PICTURE = "img, svg, canvas, [role=img]";
  const figures = () => visible()
    .filter(e => e.matches(PICTURE) && !within(up(e), PICTURE + ", mjx-container"))
    .filter(e => !within(e, "[aria-hidden=true]") && !(within(e, "a, button, summary, label") && !e.matches("img")))
    .map(e => ({
      what: named(e),
      words: e.getAttribute("alt") ?? e.getAttribute("aria-label")
        ?? document.getElementById(e.getAttribute("aria-labelledby"))?.textContent
        ?? e.querySelector?.(":scope > title")?.textContent ?? "",
    }));

  // Boxes that scroll, and hold nothing that the Tab key reaches.
  const stop = e => e.tabIndex >= 0 && !e.disabled && shown(e);
  const scrolls = (e, axis, size) => /auto|scroll/.test(getComputedStyle(e)["overflow" + axis])
    && e["scroll" + size] > e["client" + size] + 1;
  const stuck = () => visible()
    .filter(e => !e.matches("body, html") && (scrolls(e, "X", "Width") || scrolls(e, "Y", "Height")))
    .filter(e => !stop(e) && ![...all(e)].some(stop))
    .map(named);

  // What a finger must hit: 24 by 24 CSS pixels, its label counted in. Links inside a sentence are excepted.
  const TARGET = "button, input, select, textarea, summary, [role=button], [role=slider], [role=tab]";
  const box = e => [e, ...(e.labels || [])].map(x => x.getBoundingClientRect())
    .reduce((a, b) => ({ width: Math.max(a.width, b.width), height: Math.max(a.height, b.height) }));
  const small = () => visible().filter(e => e.matches(TARGET) && !e.disabled)
    .map(e => [e, box(e)]).filter(([, b]) => b.width < 24 || b.height < 24)
    .map(([e, b]) => `${named(e)} ${Math.round(b.width)} x ${Math.round(b.height)}`);

  // Things that look as if they could be clicked, and that no key reaches.
  const mouse_only = () => visible()
    .filter(e => e.hasAttribute("onclick") || (getComputedStyle(e).cursor === "pointer"
      && getComputedStyle(up(e)).cursor !== "pointer"))
    .filter(e => ![...self_and_up(e)].some(a => stop(a) || a.localName === "label"))
    .map(named);

  // The walk with the Tab key, through the article or the whole page: `begin` notes all stops and how they look,
  // `step` says where the focus is now. A text that only changes its colour does not show the focus.
  let stops = [], scope;
  const settled = () => document.getAnimations().forEach(a => isFinite(a.effect.getComputedTiming().endTime) && a.finish());
  const look = e => [e, up(e), ...(e.labels || [])].filter(x => x instanceof Element).map(x => {
    const s = getComputedStyle(x);
    const border = s.borderTopWidth === "0px" ? "" : s.borderColor + s.borderTopWidth;
    const outline = s.outlineStyle === "none" || s.outlineWidth === "0px" ? "" : s.outline;
    return [outline, s.boxShadow, border, s.backgroundColor, s.textDecorationLine].join("|");
  }).join("\n");
  const focus = () => {
    let e = document.activeElement;
    while (e?.shadowRoot?.activeElement) e = e.shadowRoot.activeElement;
    return e;
  };
  const begin = (whole) => {
    scope = whole ? document.body : article();
    focus()?.blur();                               // where an earlier walk has ended: it would look focused already
    settled();
    stops = [...all(scope)].filter(stop).map(e => ({ e, before: look(e), met: false }));
    scope.tabIndex = -1;                           // the next Tab goes to the first stop inside
    scope.focus({ preventScroll: true });
    return stops.length;
  };
  const covered = e => {
    const rects = [e, ...(e.labels || [])].flatMap(x => [...x.getClientRects()]);
    const points = rects.flatMap(r => [[.5, .5], [.1, .5], [.9, .5], [.5, .1], [.5, .9]]
      .map(([x, y]) => [r.left + x * r.width, r.top + y * r.height]));
    const inside = points.filter(([x, y]) => x >= 0 && y >= 0 && x < innerWidth && y < innerHeight);
    return !inside.some(([x, y]) => {
      let hit = document.elementFromPoint(x, y);
      for (let next = hit; next?.shadowRoot && (next = next.shadowRoot.elementFromPoint(x, y)) && next !== hit;) hit = next;
      return hit && ([...self_and_up(hit)].includes(e) || [...self_and_up(e)].includes(hit)
        || [...(e.labels || [])].some(l => l.contains(hit)));
    });
  };
  const step = () => {
    const e = focus();
    if (!e || e === document.body || ![...self_and_up(e)].includes(scope)) return null;
    settled();
    const group = o => o.type === "radio" && e.type === "radio" && o.name === e.name;   // arrows reach the others
    for (const s of stops) s.met ||= s.e === e || group(s.e);
    const known = stops.find(s => s.e === e);
    return { what: named(e), seen: !known || look(e) !== known.before, covered: covered(e) };
  };
  const missed = () => stops.filter(s => !s.met).map(s => named(s.e));

  // What moves for ever, or plays by itself.
  const restless = () => [
    ...document.getAnimations().filter(a => a.playState === "running" && a.effect.getComputedTiming().endTime === Infinity)
      .map(a => `an endless animation of ${named(a.effect.target)}`),
    ...[...all(document)].filter(e => e.matches("audio[autoplay], video[autoplay], marquee, blink")).map(named),
  ];
  const undefined_elements = () => [...all(document)].map(e => e.localName)
    .filter(n => n.includes("-") && !n.startsWith("mjx-") && !customElements.get(n));
  return { figures, stuck, small, mouse_only, begin, step, missed, restless, undefined_elements };
})();
