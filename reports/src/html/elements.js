// What the scripts of every page make elements with, and how they print a ratio.
const elements = (() => {
  const build = (make) => (name, attributes = {}, ...children) => {
    const made = make(name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    made.append(...children);
    return made;
  };
  const el = build((name) => document.createElement(name));
  const svg = build((name) => document.createElementNS('http://www.w3.org/2000/svg', name));
  // As `text::ratio`.
  const ratio = (v) => (v >= 99.95 ? v.toFixed(0) : v >= 9.995 ? v.toFixed(1) : v.toFixed(2));
  return { el, svg, ratio };
})();
