// An icicle plot: what an amount is made of, each part as wide as its share, its own parts below it. A click on
// a part spreads it over the whole width, one on what it is part of goes back.
const icicle = (() => {
  const { el } = elements;
  // Of the width; what is narrower is left out.
  const SHARE_MIN = 1 / 500;

  // One name, one colour.
  const hue = (name) => [...name].reduce((sum, c) => (sum * 31 + c.codePointAt(0)) % 360, 7);

  // `tree` is [name, amount, parts]; `show` makes text of an amount.
  return (tree, show) => {
    const whole = el('div', { class: 'icicle' });
    const draw = (way) => {
      const focus = way.at(-1);
      const label = ([name, amount], to) => {
        const said = `${name} ${show(amount)}`;
        const share = ((100 * amount) / tree[1]).toFixed(1);
        const button = el('button', { type: 'button', title: `${said}, ${share} %`, style: `--hue:${hue(name)}` }, said);
        button.addEventListener('click', () => draw(to));
        return button;
      };
      const span = (node, width, to) => {
        const shown = node[2].filter((part) => part[1] >= focus[1] * SHARE_MIN);
        const parts = shown.map((part) => span(part, part[1] / node[1], [...to, part]));
        return el('div', { class: 'clip', style: `width:${(100 * width).toFixed(3)}%` }, label(node, to), el('div', { class: 'parts' }, ...parts));
      };
      const above = way.slice(0, -1).map((node, i) => label(node, way.slice(0, i + 1)));
      whole.replaceChildren(...above, span(focus, 1, way));
    };
    draw([tree]);
    return whole;
  };
})();
