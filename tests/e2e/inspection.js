// What is asked of a page from within, once it has come to rest. Put in by the test's own protocol, not by the page.
globalThis.inspection = {
  // Colours arrive at once: what is measured is where they end.
  arriveAtOnce() {
    const sheet = new CSSStyleSheet();
    sheet.replaceSync("*, ::before, ::after { transition: none !important; animation: none !important }");
    document.adoptedStyleSheets.push(sheet);
  },

  unfold() {
    for (const details of document.querySelectorAll("details")) { details.removeAttribute("name"); details.open = true; }
  },

  // What the content security policy would drop.
  forbidden() {
    const found = [];
    for (const element of document.querySelectorAll("*")) {
      const name = element.tagName.toLowerCase();
      if (name === "style") found.push("<style>");
      if (name === "script" && !element.src && element.type !== "application/json") found.push("an inline <script>");
      for (const { name: attribute, value } of element.attributes)
        if (attribute === "style" || attribute.startsWith("on") || attribute.startsWith("hx-on"))
          found.push(`<${name} class="${element.className.baseVal ?? element.className}" ${attribute}="${value.slice(0, 60)}">`);
    }
    return found;
  },

  // What a text has become that should have stayed text: every one that is planted carries the mark.
  escaped(mark) {
    const found = [];
    const ours = new RegExp(`^${location.origin}/`);
    const banned = "iframe, frame, object, embed, applet, base, style, math, video, audio, marquee, foreignObject, animate, set, meta[http-equiv]";
    const shown = (element) => element.outerHTML.slice(0, 120);
    for (const element of document.querySelectorAll(`[${mark}], ${banned}`)) found.push(shown(element));
    for (const element of document.querySelectorAll("script[src], img[src]:not(.qr), source[src], link[href]"))
      if (!ours.test(element.src || element.href)) found.push(shown(element));
    for (const element of document.querySelectorAll("form, [formaction]"))
      for (const at of [element.getAttribute("action"), element.getAttribute("formaction")])
        if (at && !ours.test(new URL(at, location.href).href)) found.push(shown(element));
    for (const element of document.querySelectorAll("a, area"))
      if (element.href && !/^(https?|mailto|otpauth):/.test(element.href?.baseVal ?? element.href)) found.push(shown(element));
    return found;
  },

  wide() {
    const root = document.documentElement;
    if (root.scrollWidth <= root.clientWidth) return [];
    const reach = (element) => element.getBoundingClientRect().right;
    const over = [...document.body.querySelectorAll("*")].filter((element) => reach(element) > root.clientWidth + 1);
    const named = over.slice(0, 3).map((element) => `${element.tagName.toLowerCase()}.${element.className} ends at ${reach(element)}`);
    return [`${root.scrollWidth} px wide`, ...named];
  },

  // A finger needs 44 px. Of a link it is enough to be a part of a sentence, or to have 24 px to itself (WCAG 2.5.8).
  small() {
    const found = [];
    const shown = (element) => element.checkVisibility({ checkOpacity: true, checkVisibilityCSS: true });
    const targets = [...document.querySelectorAll("a[href], button, summary, select, textarea, input:not([type=hidden])")];
    const onto = (element, x, y) => {
      const hit = document.elementFromPoint(x, y);
      if (!hit) return false;
      if (element === hit || element.contains(hit)) return true;
      const label = hit.closest("label");
      return Boolean(label && label.control === element);
    };
    const boxes = targets.filter(shown).map((element) => [element, element.getBoundingClientRect()]);
    const spaced = (element, at) => {
      const whole = element.getBoundingClientRect();
      const [x, y] = [whole.left + whole.width / 2, whole.top + whole.height / 2];
      return boxes.every(([other]) => {
        if (other === element || other.contains(element) || element.contains(other)) return true;
        const box = other.getBoundingClientRect();
        const dx = Math.max(box.left - x, 0, x - box.right);
        const dy = Math.max(box.top - y, 0, y - box.bottom);
        return Math.hypot(dx, dy) >= 12;
      });
    };
    for (const element of targets) {
      if (!shown(element) || element.closest("[inert], .visually-hidden, .skip-link")) continue;
      element.scrollIntoView({ block: "center", inline: "nearest" });
      let box = element.getBoundingClientRect();
      const label = element.labels?.[0];
      if (label && ["checkbox", "radio", "file"].includes(element.type)) {
        const around = label.getBoundingClientRect();
        if (around.height > box.height) box = around;
      }
      if (box.width < 1 || box.height < 1) continue;
      const [x, y] = [box.left + box.width / 2, box.top + box.height / 2];
      let [up, down, left, right] = [0, 0, 0, 0];
      const covers = (dx, dy) => onto(element, x + dx, y + dy);
      if (!covers(0, 0)) { up = down = box.height / 2; left = right = box.width / 2; }
      else {
        while (up < 23 && covers(0, -up - 1)) up++;
        while (down < 23 && covers(0, down + 1)) down++;
        while (left < 23 && covers(-left - 1, 0)) left++;
        while (right < 23 && covers(right + 1, 0)) right++;
      }
      const [width, height] = [Math.max(left + right, box.width), Math.max(up + down, box.height)];
      const style = getComputedStyle(element);
      const isLink = element.tagName === "A" && !element.classList.contains("btn");
      const inline = style.display === "inline" && element.parentElement.textContent.trim() !== element.textContent.trim();
      if (isLink && (inline || spaced(element, box))) continue;
      const least = isLink ? 24 : 44;
      if (width >= least - 0.5 && height >= least - 0.5) continue;
      const words = (element.getAttribute("aria-label") || element.textContent || element.name || "").trim().slice(0, 40);
      found.push(`<${element.tagName.toLowerCase()} class="${element.className}"> “${words}” ${Math.round(width)}x${Math.round(height)}`);
    }
    scrollTo(0, 0);
    return found;
  },
};
