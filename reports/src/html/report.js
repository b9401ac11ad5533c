// What a reader of a report looks at one of many: the rows of a tier against a peer, the card of a workload.
// Both are data in the page (`data.rs` says what) and become elements here when they are looked at.
(() => {
  const { el, svg, ratio } = elements;
  const { get, set, number, enhance } = page;
  const data = JSON.parse(document.getElementById('data').textContent);

  // As `text::interval`.
  const interval = (lo, hi) => `[${[lo, hi].map((v) => (v === null ? '…' : ratio(v))).join(', ')}]`;

  // A table that sorts and filters; `rows` are those of its body, `above` one that stays on top.
  const table = (key, name, columns, rows, above = []) => {
    const head = columns.map(([title, isNumber]) => el('th', isNumber ? { class: 'n' } : {}, title));
    const bodies = [...above.map((row) => el('tbody', { class: 'above' }, row)), el('tbody', {}, ...rows)];
    const made = el('table', { class: name, 'data-key': key }, el('thead', {}, el('tr', {}, ...head)), ...bodies);
    const whole = el('div', {}, el('div', { class: 'scroll' }, made));
    enhance(made, key);
    return whole;
  };

  // The plot of a row: grid, noise floor, the line at 1, the interval, and a mark with the verdict's shape.
  const PLOT = { width: 240, height: 27, margin: 5 };
  const middle = PLOT.height / 2;
  const MARKS = {
    faster: (x) => `M${x - 6} ${middle - 5}h12l-6 10z`,
    slower: (x) => `M${x - 6} ${middle + 5}h12l-6 -10z`,
    below_noise: (x) => `M${x - 5} ${middle - 4}h10v8h-10z`,
    near_noise: (x) => `M${x} ${middle - 5}l6 5l-6 5l-6 -5z`,
    unsure: (x) => `M${x - 4} ${middle}a4 4 0 1 0 8 0a4 4 0 1 0 -8 0`,
  };
  const placed = (view) => (v) => {
    const share = (Math.log(v) - view.axis[0]) / (view.axis[1] - view.axis[0]);
    return Math.round(PLOT.margin + share * (PLOT.width - 2 * PLOT.margin));
  };
  const framed = (height, ...shapes) =>
    svg('svg', { class: 'bar', viewBox: `0 0 ${PLOT.width} ${height}`, width: PLOT.width, height, 'aria-hidden': true }, ...shapes);
  const plot = (view, [value, lo, hi], verdict) => {
    const x = placed(view);
    const [from, to] = [lo === null ? 0 : x(lo), hi === null ? PLOT.width : x(hi)];
    const band = view.band.map(x);
    const whisker = `M${from} ${middle}H${to}M${from} ${middle - 4}v8M${to} ${middle - 4}v8`;
    return framed(
      PLOT.height,
      svg('rect', { class: 'band', x: band[0], y: 0, width: band[1] - band[0], height: PLOT.height }),
      svg('path', { class: 'grid', d: view.ticks.map(([tick]) => `M${x(tick)} 0v${PLOT.height}`).join('') }),
      svg('path', { class: 'one', d: `M${x(1)} 0v${PLOT.height}` }),
      svg('path', { class: `line ${verdict}`, d: whisker }),
      svg('path', { class: `mark ${verdict}`, d: (MARKS[verdict] ?? MARKS.below_noise)(x(value)) }),
    );
  };
  // Labels at the ends move in, so that all of them is seen; ticks are farther apart than that.
  const scale = (view) => {
    const x = (tick) => Math.min(Math.max(placed(view)(tick), 14), PLOT.width - 14);
    return framed(14, ...view.ticks.map(([tick, label]) => svg('text', { x: x(tick), y: 11, 'text-anchor': 'middle' }, label)));
  };

  // Beside a verdict by a metric whose control failed.
  const DOUBT = ' ⚠';
  const metricOf = (view) => data.metrics.find((m) => m.key === view.metric);
  const row = (view, [place, value, lo, hi, n, verdict, needed, spread]) => {
    const [id, category] = data.workloads[place];
    const [key, word, shape] = data.verdicts[verdict];
    const name = el('td', { class: 'name' }, el('a', { href: `#w-${id}` }, id));
    if (view.code.includes(place)) {
      name.append(' ', el('a', { href: `code.html#w-${encodeURIComponent(id)}` }, 'code'));
    }
    return el(
      'tr', {}, name,
      el('td', { class: 'n', 'data-v': value }, `${ratio(value)}×`),
      el('td', { class: key, title: needed ?? '' }, `${shape} ${word}${metricOf(view).warning ? DOUBT : ''}`),
      el('td', { class: 'plot' }, plot(view, [value, lo, hi], key)),
      el('td', { class: 'n' }, interval(lo, hi)),
      el('td', { class: 'n' }, String(n)),
      el('td', {}, category),
      ...(spread ?? []).map((part) => el('td', { class: 'n' }, `±${part.toFixed(1)} %`)),
    );
  };

  const rows = (view) => {
    const columns = [['workload', false], ['ratio', true], ['verdict', false], ['', false], ['interval', true], ['n', true], ['category', false]];
    if (view.rows.some((r) => r[7])) columns.push(['within', true], ['between', true]);
    const [mean, lo, hi] = view.mean;
    const above = el(
      'tr', {}, el('td', {}, 'geometric mean'), el('td', { class: 'n' }, `${ratio(mean)}×`), el('td', {}),
      el('td', { class: 'plot' }, scale(view), plot(view, view.mean, 'all')), el('td', { class: 'n' }, interval(lo, hi)),
      el('td', { colspan: columns.length - 5 }),
    );
    return table('gaps', 'gaps', columns, view.rows.map((r) => row(view, r)), [above]);
  };

  const container = document.getElementById('view');
  const selects = [...document.querySelectorAll('.controls select')];
  const show = () => {
    const view = data.views.find((v) => selects.every((s) => v[s.name] === s.value));
    if (!view) {
      container.replaceChildren(el('p', {}, 'Nothing was measured for this choice.'));
      return;
    }
    const metric = metricOf(view);
    container.replaceChildren(
      el('h3', {}, view.title),
      ...(metric.warning ? [el('p', { class: 'banner' }, `⚠ ${metric.warning}.`)] : []),
      el('p', {}, `${view.sentence}.`),
      el('p', { class: 'muted' }, `Balanced over categories: ${view.balanced}. ${metric.what}`),
      el('p', { class: 'muted' }, metric.axis),
      rows(view),
    );
  };
  for (const select of selects) {
    // The page opens with the tier of the headline.
    if (select.dataset.first) select.value = select.dataset.first;
    const wanted = get(select.name);
    if ([...select.options].some((o) => o.value === wanted)) select.value = wanted;
    select.addEventListener('change', () => {
      set(select.name, select.value);
      show();
    });
  }
  if (container) show();

  // Cards.
  const color = (i) => `var(--s${i % 10})`;
  const swatch = (i) => el('span', { class: 'swatch', style: `background:${color(i)}` });
  const chips = (items) => el('ul', { class: 'chips' }, ...items.map(([i, name]) => el('li', {}, swatch(i), name)));
  // Cells of a row as text; where it ends early its last one says why.
  const line = (columns, cells) => {
    const last = cells.length - 1;
    const why = cells.length < columns.length ? { class: 'hatched why', colspan: columns.length - last } : null;
    const cell = (text, i) => el('td', (i === last && why) || (columns[i][1] ? { class: 'n' } : {}), text);
    return el('tr', {}, ...cells.map(cell));
  };
  const lines = (key, columns, cells) => table(key, '', columns, cells.map((c) => line(columns, c)));
  const titled = (title, ...content) => el('figure', {}, el('figcaption', {}, title), ...content);

  const iterations = ({ height, ticks, lines }) => {
    const [left, right, top] = [80, 660, 10];
    const longest = Math.max(2, ...lines.map(([, points]) => points.length));
    const label = (x, y, anchor, text) => svg('text', { x, y: y + 4, 'text-anchor': anchor }, text);
    const drawn = svg('svg', { role: 'img', viewBox: `0 0 680 ${height + 36}` }, svg('title', {}, 'iterations by engine'));
    for (const [y, text] of ticks) {
      drawn.append(svg('path', { class: 'grid', d: `M${left} ${top + y}H${right}` }), label(left - 8, top + y, 'end', text));
    }
    drawn.append(label(left, top + height + 14, 'start', 'iteration 1'), label(right, top + height + 14, 'end', String(longest)));
    for (const [engine, points] of lines) {
      const at = points.map((y, i) => [Math.round(left + (i * (right - left)) / (longest - 1)), top + y]);
      drawn.append(
        svg('polyline', { class: 'line', style: `color:${color(engine)}`, points: at.map((p) => p.join()).join(' ') }),
        // The first iteration is a ring: that is the one before warm-up.
        svg('circle', { class: 'line', style: `color:${color(engine)}`, cx: at[0][0], cy: at[0][1], r: 3 }),
      );
    }
    return titled(
      'Iterations in order, median over processes; log axis.',
      el('div', { class: 'scroll' }, drawn), chips(lines.map(([engine]) => [engine, data.engines[engine]])),
    );
  };

  const phases = (id, rows) => {
    const columns = data.heads.phases;
    const parts = rows.map((cells) => cells.slice(1).map(number));
    const longest = Math.max(...parts.map((p) => p.reduce((sum, part) => sum + part, 0)));
    const bar = (own) => own.map((part, i) => el('i', { style: `width:${(100 * part) / longest}%;background:${color(2 * i)}` }));
    const drawn = rows.map((cells, i) => {
      const shown = line(columns, cells);
      shown.cells[0].after(el('td', { class: 'parts' }, el('div', {}, ...bar(parts[i]))));
      return shown;
    });
    const [engine, ...names] = columns;
    return titled(
      'Time to the first result, by phase.',
      table(`${id}.phases`, '', [engine, ['', false], ...names], drawn), chips(names.map(([name], i) => [2 * i, name])),
    );
  };

  // As `text::duration`.
  const duration = (ns) =>
    ns >= 1e9 ? `${(ns / 1e9).toFixed(2)} s` : ns >= 1e6 ? `${(ns / 1e6).toFixed(2)} ms` : ns >= 1e3 ? `${(ns / 1e3).toFixed(1)} µs` : `${ns} ns`;

  const own = (id, tiers) => {
    const functions = tiers.flatMap((tier) => tier.functions);
    const shown = titled(
      'Where zwasm’s own time goes, as it reports it of one run; compilation by pass. Each tier fills the width; click to look closer.',
      ...tiers.map((tier) => icicle(tier.spans, duration)), lines(`${id}.own`, data.heads.own, tiers.map((tier) => tier.row)),
    );
    if (functions.length) {
      const folded = el('details', {}, el('summary', {}, `Functions that took longest to compile (${functions.length})`));
      folded.append(lines(`${id}.functions`, data.heads.functions, functions));
      shown.append(folded);
    }
    return shown;
  };

  const fill = (details, card) => {
    const { id } = details;
    if (card.iterations) details.append(iterations(card.iterations));
    if (card.phases.length) details.append(phases(id, card.phases));
    if (card.counters.length) details.append(titled('Counters of each engine.', lines(`${id}.counters`, data.heads.counters, card.counters)));
    if (card.own.length) details.append(own(id, card.own));
  };
  data.workloads.forEach(([id], i) => {
    const details = document.getElementById(`w-${id}`);
    const once = () => fill(details, data.cards[i]);
    details.addEventListener('toggle', once, { once: true });
  });

  // The way to each section.
  const sections = [...document.querySelectorAll('main h2[id]')];
  const links = sections.map((h) => el('a', { href: `#${h.id}` }, h.textContent));
  document.querySelector('main').before(el('nav', { 'aria-label': 'sections' }, ...links));

  // A search over the cards, their categories and what they say.
  const heading = document.getElementById('workloads');
  const box = el('input', { type: 'search', placeholder: 'search workloads', 'aria-label': 'search workloads' });
  const found = el('span', { class: 'muted', role: 'status' });
  heading.after(el('div', { class: 'tools' }, box, found));
  const groups = [...document.querySelectorAll('section.group')];
  const search = () => {
    const wanted = box.value.toLowerCase();
    let count = 0;
    for (const group of groups) {
      const isWhole = group.querySelector('h3').textContent.toLowerCase().includes(wanted);
      let own = 0;
      for (const card of group.querySelectorAll('details.card')) {
        const text = [...card.querySelectorAll('summary, p')].map((p) => p.textContent).join(' ').toLowerCase();
        card.hidden = !isWhole && !text.includes(wanted);
        own += !card.hidden;
      }
      group.hidden = !own;
      count += own;
    }
    found.textContent = wanted ? `${count} of ${data.workloads.length}` : '';
  };
  box.value = get('search') ?? '';
  box.addEventListener('input', () => {
    set('search', box.value);
    search();
  });
  search();
})();
