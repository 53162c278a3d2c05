// The script that sets formulas is half a megabyte, so it is fetched when the first formula comes near, or
// when the reader does anything at all (printing begins with a key or a click).
(() => {
  const waiting = document.querySelector("script[type='text/plain'][src*='mathjax']");
  const formulas = document.querySelectorAll(".math");
  if (!waiting || !formulas.length) return;
  const hands = ["scroll", "pointerdown", "keydown"];

  // A formula wider than the page scrolls inside itself; the keyboard must be able to reach it, and only then.
  const sizes = new ResizeObserver((changes) => {
    for (const { target } of changes) {
      if (target.scrollWidth > target.clientWidth) target.tabIndex = 0;
      else target.removeAttribute("tabindex");
    }
  });
  const watch = () => document.querySelectorAll("mjx-container[display]").forEach((it) => sizes.observe(it));

  const load = () => {
    eye.disconnect();
    hands.forEach((hand) => removeEventListener(hand, load));
    const script = document.createElement("script");
    script.src = waiting.src;
    script.onload = () => MathJax.startup.promise.then(watch);
    document.head.append(script);
  };
  const eye = new IntersectionObserver((seen) => seen.some((it) => it.isIntersecting) && load(), {
    rootMargin: "1200px",
  });
  formulas.forEach((formula) => eye.observe(formula));
  hands.forEach((hand) => addEventListener(hand, load, { passive: true }));
})();
