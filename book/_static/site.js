// A formula wider than the page scrolls inside itself; the keyboard must be able to reach it, and only then.
(() => {
  const reach = () => {
    for (const formula of document.querySelectorAll("mjx-container[display]")) {
      if (formula.scrollWidth > formula.clientWidth) formula.tabIndex = 0;
      else formula.removeAttribute("tabindex");
    }
  };
  addEventListener("load", () => window.MathJax?.startup?.promise?.then(reach));
  addEventListener("resize", reach);
})();
