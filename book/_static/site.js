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
  const sizes = new ResizeObserver((changes) => {
    for (const it of new Set(changes.map(({ target }) => target.closest(wide)))) {
      if (it.scrollWidth > it.clientWidth) it.tabIndex = 0;
      else it.removeAttribute("tabindex");
    }
  });
  const watch = () => document.querySelectorAll(wide).forEach((it) => {
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
