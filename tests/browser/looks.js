// What a page looks like to somebody who reads it, for tests: run in the page, returns findings.
() => {
  const number = (text) => parseFloat(text);
  const parse = (text) => {
    const found = text.match(/[\d.]+/g);
    if (!found || text === "none") return [0, 0, 0, 0];
    const [r, g, b, a] = found.map(number);
    return [r, g, b, a === undefined ? 1 : a];
  };
  const over = (top, below) => [0, 1, 2].map((k) => top[k] * top[3] + below[k] * (1 - top[3])).concat(1);
  const light = ([r, g, b]) =>
    [r, g, b]
      .map((value) => value / 255)
      .map((value) => (value <= 0.03928 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4))
      .reduce((sum, value, k) => sum + value * [0.2126, 0.7152, 0.0722][k], 0);
  const contrast = (one, other) => {
    const [low, high] = [light(one), light(other)].sort((a, b) => a - b);
    return (high + 0.05) / (low + 0.05);
  };
  const scheme = getComputedStyle(document.documentElement).colorScheme.includes("dark");
  const dark = scheme && matchMedia("screen and (prefers-color-scheme: dark)").matches;
  const canvas = dark ? [18, 18, 18, 1] : [255, 255, 255, 1];
  const opacity = (element) =>
    element instanceof Element ? number(getComputedStyle(element).opacity) * opacity(element.parentNode) : 1;
  const behind = (element) => {
    const layers = [];
    for (let each = element; each instanceof Element; each = each.parentNode)
      layers.push(parse(getComputedStyle(each).backgroundColor));
    return layers.reverse().reduce((below, layer) => over(layer, below), canvas);
  };
  // the marks drawn before a label of a chart, where they lie below its middle
  const below = (label, ground) => {
    const box = label.getBoundingClientRect();
    const middle = new DOMPoint(box.x + box.width / 2, box.y + box.height / 2);
    for (const mark of label.ownerSVGElement.querySelectorAll("path, rect, circle")) {
      if (!(mark.compareDocumentPosition(label) & Node.DOCUMENT_POSITION_FOLLOWING)) break;
      const style = getComputedStyle(mark), fill = parse(style.fill);
      const matrix = mark.getScreenCTM();
      if (!matrix || !mark.isPointInFill(middle.matrixTransform(matrix.inverse()))) continue;
      fill[3] *= number(style.fillOpacity) * opacity(mark);
      ground = over(fill, ground);
    }
    return ground;
  };
  const faint = [];
  let texts = 0;
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const text = walker.currentNode.textContent.trim(), element = walker.currentNode.parentElement;
    const label = element.closest("svg text");
    if (!text || !element.checkVisibility({ visibilityProperty: true, opacityProperty: true })) continue;
    texts += 1;
    const style = getComputedStyle(element);
    const colour = parse(label ? style.fill : style.color);
    colour[3] *= opacity(element) * (label ? number(style.fillOpacity) : 1);
    const ground = label ? below(label, behind(label.ownerSVGElement)) : behind(element);
    const found = contrast(over(colour, ground), ground);
    if (found < 4.5) faint.push(`${text.slice(0, 60)}: ${found.toFixed(2)}`);
  }
  const charts = [...document.querySelectorAll("svg")].map((svg) => {
    const box = svg.getBoundingClientRect();
    const marks = [...svg.querySelectorAll("[class*=mark-]:not(.role-axis-grid, .background) > *")].filter((mark) => {
      const size = mark.getBBox ? mark.getBBox() : { width: 0, height: 0 };
      return !mark.closest(".role-axis, .role-legend, .role-title") && size.width + size.height > 0;
    });
    return {
      name: svg.getAttribute("aria-label"), left: box.left, right: box.right, width: box.width, height: box.height,
      marks: marks.length, texts: svg.querySelectorAll("text").length,
    };
  });
  const root = document.documentElement;
  // inside something that scrolls by itself nothing is too wide
  const scrolls = (element) =>
    element && (["auto", "scroll"].includes(getComputedStyle(element).overflowX) || scrolls(element.parentElement));
  const wide = [...document.body.querySelectorAll("*")]
    .filter((each) => each.getBoundingClientRect().right > root.clientWidth + 1 && !scrolls(each.parentElement))
    .map((each) => `${each.tagName} ${each.textContent.trim().slice(0, 60)}`);
  return { texts, faint, charts, wide, scroll: root.scrollWidth, width: root.clientWidth };
}
