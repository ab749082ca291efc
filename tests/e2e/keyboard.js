// Where Tab comes to on a page, and whether one could see it there. Put in over the debugging protocol.
globalThis.keyboard = (() => {
  const NATIVE = "a[href], button, input, select, textarea, summary";
  const PARTS = { date: 4, time: 3, "datetime-local": 7 }; // stops that one field has by itself
  const look = (element) => {
    const { outlineStyle, outlineWidth, boxShadow, borderColor, backgroundColor } = getComputedStyle(element);
    return [outlineStyle === "none" ? "" : outlineWidth, boxShadow, borderColor, backgroundColor].join();
  };
  const named = (element) => element.outerHTML.replace(/\s+/g, " ").slice(0, 110);
  // Of the boxes of one choice, Tab comes to one.
  const choice = (element) => (element.type === "radio" ? `${element.form?.action} ${element.name}` : element);
  // What is there to be pressed is expected, also where somebody took it out of the order.
  const isOutOfIt = (element) =>
    element.disabled || element.type === "hidden" || element.closest("[inert], [aria-hidden=true]") !== null ||
    (element.tabIndex < 0 && (!element.matches(NATIVE) || element.matches("[autocomplete=username]")));
  const stops = [...document.querySelectorAll(`${NATIVE}, [tabindex]`)].filter(
    (element) => !isOutOfIt(element) && element.checkVisibility({ visibilityProperty: true }),
  );
  const around = (element) => [element, element.parentElement, element.nextElementSibling].filter(Boolean);
  const looks = (element) => around(element).map(look).join();
  const isOutside = (element) => {
    const { top, bottom } = element.getBoundingClientRect();
    return bottom <= 0 || top >= innerHeight;
  };
  // What lies above it: null where nothing does.
  const above = (element) => {
    const box = element.getClientRects()[0];
    if (!box || getComputedStyle(element).pointerEvents === "none") return null;
    const x = Math.min(Math.max(box.left + Math.min(box.width, innerWidth) / 2, 0), innerWidth - 1);
    const hit = document.elementFromPoint(x, box.top + Math.min(box.height / 2, 12));
    return hit && (element.contains(hit) || hit.closest("label")?.control === element) ? null : (hit ?? document.body);
  };
  const atRest = new Map(stops.map((element) => [element, looks(element)]));
  const seen = new Set();
  const unseen = new Set();
  const covered = new Set();
  return {
    most: new Set(stops.map(choice)).size + stops.reduce((sum, { type }) => sum + (PARTS[type] ?? 0), 0) + 5,
    // What has the focus now. True once Tab has been everywhere, and nothing of the page has it.
    async here() {
      const element = document.activeElement;
      if (element === document.body || element === null) return this.missed().length === 0;
      seen.add(choice(element));
      if (atRest.get(element) === looks(element)) unseen.add(element);
      for (let frame = 0; above(element); frame++) {
        // What moves while Chromium scrolls to it may end outside of the window: what lies there is covered by nothing.
        if (frame === 100 && isOutside(element)) element.scrollIntoView({ block: "nearest" });
        if (frame === 150) {
          covered.add(`${named(element)} lies below ${named(above(element))}`);
          break;
        }
        await new Promise(requestAnimationFrame); // the page may be on its way there
      }
      return false;
    },
    missed: () => stops.filter((element) => element.isConnected && !seen.has(choice(element))).map(named),
    unseen: () => [...unseen].map(named),
    covered: () => [...covered],
  };
})();
