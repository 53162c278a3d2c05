// The script that sets formulas is half a megabyte, so it is fetched when the first formula comes near, or
// when the reader does anything at all (printing begins with a key or a click).
(() => {
  const waiting = document.querySelector("script[type='text/plain'][src*='mathjax']");
  const formulas = document.querySelectorAll(".math");
  if (!waiting || !formulas.length) return;
  const hands = ["scroll", "pointerdown", "keydown"];

  // What is wider than the page scrolls inside itself; the keyboard must be able to reach it, and only then.
  // The theme looks at its tables before their formulas are set, so they are looked at again here.
  const wide = "mjx-container[display], .pst-scrollable-table-container";
  const reach = (it) => {
    if (it.scrollWidth > it.clientWidth) it.tabIndex = 0;
    else it.removeAttribute("tabindex");
  };
  const sizes = new ResizeObserver((changes) => {
    new Set(changes.map(({ target }) => target.closest(wide))).forEach(reach);
  });
  const watch = () => document.querySelectorAll(wide).forEach((it) => {
    reach(it); // at once as well: the observer is silent about sections that a phone has not laid out yet
    for (const part of [it, ...it.children]) sizes.observe(part);
  });

  const load = () => {
    eye.disconnect();
    hands.forEach((hand) => removeEventListener(hand, load));
    const script = document.createElement("script");
    script.src = waiting.src;
    script.onload = () => MathJax.startup.promise.then(watch);
    document.head.append(script);
  };
  const eye = new IntersectionObserver((seen) => seen.some((it) => it.isIntersecting) && load(), {
    rootMargin: "200px",
  });
  formulas.forEach((formula) => eye.observe(formula));
  hands.forEach((hand) => addEventListener(hand, load, { passive: true }));
})();
