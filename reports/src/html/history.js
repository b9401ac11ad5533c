// Plots what is chosen of the recorded runs, compares two of them, and keeps the choice in the URL's
// fragment. Text comes into the page as text only (textContent, attributes); what is joined to lines
// and where they have steps was decided when the page was made.
(() => {
  const { el, svg } = elements;
  const data = JSON.parse(document.getElementById('records').textContent);
  if (!data.first) return;
  const family_of = ([name, mean, covered, total, rows]) => {
    const [metric, tier, peer] = data.families[name];
    return { metric, tier, peer, mean, covered, total, rows };
  };
  const runs = data.records.map((run) => ({ ...run, families: run.families.map(family_of) }));
  const by_id = new Map(runs.map((run, place) => [run.id, place]));
  const titles = new Map(data.metrics);
  const $ = (id) => document.getElementById(id);
  const ROWS_SHOWN = 50;
  let state, cut;

  // Figures: gaps are [ln, below, above] in ten-thousandths.
  const ratio = (log) => elements.ratio(Math.exp(log / 1e4));
  const end = (log) => (log === null ? '…' : ratio(log));
  const interval = (gap) => `[${end(gap.lo)}, ${end(gap.hi)}]`;
  const gap_of = (triple) =>
    triple && {
      value: triple[0],
      lo: triple[1] === null ? null : triple[0] - triple[1],
      hi: triple[2] === null ? null : triple[0] + triple[2],
    };
  const short = (run) => run.commit.hash.slice(0, 10) + (run.commit.dirty ? '+' : '');

  const control = (run, metric) => run.controls.find((c) => c.metric === metric);
  const standing = (run, metric) => {
    const found = control(run, metric);
    if (!found) return 'control not kept';
    return found.failed ? 'control failed' : 'control passed';
  };
  const place_of = (run, { metric, tier, peer }) =>
    run.families.findIndex((f) => f.metric === metric && f.tier === tier && f.peer === peer);
  const gap_in = (run, family, workload) =>
    gap_of(workload === '' ? family.mean : family.rows[run.workloads.indexOf(workload)]);

  // The runs that have what is chosen, each with its line.
  const points_of = (chosen) => {
    const kind = data.lines.find((l) => l.metric === chosen.metric && l.peer === chosen.peer);
    const points = [];
    runs.forEach((run, place) => {
      const family = place_of(run, chosen);
      const gap = family < 0 ? undefined : gap_in(run, run.families[family], chosen.workload);
      if (!gap) return;
      const line = kind.lines.findIndex((l) => l.includes(place));
      const workload = chosen.workload === '' ? null : run.workloads.indexOf(chosen.workload);
      const step = data.steps.some(([to, f, w]) => to === place && f === family && w === workload);
      points.push({ place, run, gap, line, step, family: run.families[family] });
    });
    for (const point of points) {
      const before = points.filter((p) => p.line === point.line && p.place < point.place).at(-1);
      if (before) point.change = point.gap.value - before.gap.value;
    }
    return points;
  };

  // What is shown again keeps the focus, by its key.
  const set = (changes) => {
    for (const [name, value] of Object.entries(changes)) {
      if (value === '') state.delete(name);
      else state.set(name, value);
    }
    history.replaceState(null, '', '#' + state);
    const key = document.activeElement?.dataset.key;
    show();
    if (key) document.querySelector(`[data-key="${CSS.escape(key)}"]`)?.focus();
  };

  const lists = {};
  const select = (place, name, options) => {
    const list = el('select', { name });
    for (const [key, label] of options) list.append(new Option(label, key));
    list.addEventListener('change', () => set({ [name]: list.value }));
    lists[name] = list;
    $(place).append(el('label', {}, `${name} `, list));
  };

  // What is chosen: from the fragment where that names something that is there, else what leads.
  const all = (of) => [...new Set(runs.flatMap((run) => of(run)))];
  const choices = {
    metric: data.metrics.filter(([key]) => runs.some((run) => run.families.some((f) => f.metric === key))),
    tier: all((run) => run.families.map((f) => f.tier)).map((t) => [t, t]),
    peer: all((run) => run.families.map((f) => f.peer)).map((p) => [p, p]),
    workload: [['', 'geometric mean'], ...all((run) => run.workloads).sort().map((w) => [w, w])],
    rows: [['', 'all rows'], ['chosen', 'of this metric, tier and peer'], ['means', 'means only']],
  };
  const chosen_now = () => {
    const pick = (name, first) => {
      const wanted = state.get(name);
      return choices[name].some(([key]) => key === wanted) ? wanted : first;
    };
    return {
      metric: pick('metric', data.first.metric),
      tier: pick('tier', data.first.tier),
      peer: pick('peer', data.first.peer),
      workload: pick('workload', ''),
      rows: pick('rows', ''),
    };
  };

  // The two runs that are compared: else the newest point and the one before it on its line.
  const pair_of = (points) => {
    const named = ['a', 'b'].map((name) => by_id.get(state.get(name)));
    const newest = points.at(-1);
    const b = named[1] ?? newest?.place ?? runs.length - 1;
    const earlier = points.filter((p) => p.place < b);
    const line = points.find((p) => p.place === b)?.line;
    const a = named[0] ?? (earlier.filter((p) => p.line === line).at(-1) ?? earlier.at(-1))?.place ?? Math.max(0, b - 1);
    return [a, b];
  };

  const described = (point, chosen) => {
    const { run, gap, change } = point;
    const floor = control(run, chosen.metric)?.floor;
    const noise = floor === undefined ? '' : `, noise floor ${(floor * 100).toFixed(1)} %`;
    const moved = change === undefined ? '' : `; ${ratio(change)}× the point before on its line`;
    const step = point.step ? ', a step' : '';
    return `${short(run)} ${run.change}: ${ratio(gap.value)}× ${interval(gap)}, ${standing(run, chosen.metric)}${noise}${moved}${step}`;
  };

  // Round ratios for an axis: 1, 2 and 5 by powers of ten; equally far from each other where it is short.
  const ticks = (lo, hi) => {
    const round = (wanted) => {
      const power = 10 ** Math.floor(Math.log10(wanted));
      return power * [1, 2, 5, 10].find((s) => s * power >= wanted * 0.999);
    };
    const found = [];
    if (hi / lo < 4) {
      const step = round((hi - lo) / 6);
      for (let n = Math.ceil(lo / step); n * step <= hi; n++) found.push(n * step);
    } else {
      for (let tick = round(lo); tick <= hi; tick = round(tick * 1.5)) found.push(tick);
    }
    const every = Math.ceil(found.length / 8);
    return found.filter((_, i) => i % every === 0).map((tick) => Number(tick.toPrecision(4)));
  };

  const ink = (line) => `var(--s${line % 10})`;

  const plot = (points, chosen, pair) => {
    const [width, top, bottom, left, right] = [680, 34, 240, 64, 664];
    const root = svg('svg', { viewBox: `0 0 ${width} ${bottom + 26}`, role: 'group', 'aria-label': $('caption').textContent });
    const ends = points.flatMap(({ gap }) => [gap.value, gap.lo, gap.hi]).filter((v) => v !== null);
    const room = Math.max(50, (Math.max(...ends) - Math.min(...ends)) * 0.08);
    const [lo, hi] = [Math.min(...ends) - room, Math.max(...ends) + room];
    const y = (log) => bottom - ((log - lo) / (hi - lo)) * (bottom - top);
    const space = (right - left - 24) / Math.max(1, points.length - 1);
    const x = (i) => (points.length === 1 ? (left + right) / 2 : left + 12 + i * space);
    const line = (x1, y1, x2, y2, stroke, more = {}) =>
      root.append(svg('line', { x1, y1, x2, y2, stroke, ...more }));
    const text = (tx, ty, anchor, words) => {
      root.append(svg('text', { x: tx, y: ty, 'text-anchor': anchor, 'font-size': 11, fill: 'var(--muted)' }, words));
    };
    for (const tick of ticks(Math.exp(lo / 1e4), Math.exp(hi / 1e4))) {
      const at = y(Math.log(tick) * 1e4);
      line(left, at, right, at, 'var(--grid)');
      text(left - 8, at + 4, 'end', `${tick}×`);
    }
    if (lo < 0 && hi > 0) line(left, y(0), right, y(0), 'var(--ink)');
    points.forEach((point, i) => {
      ['a', 'b'].forEach((name, which) => {
        if (point.place !== pair[which]) return;
        line(x(i), 12 + 10 * which, x(i), bottom, 'var(--muted)', { 'stroke-dasharray': '3 3' });
        text(x(i) - 5, 16 + 10 * which, 'end', name);
      });
    });
    // Bands and lines lie under the points.
    for (const number of new Set(points.map((p) => p.line))) {
      const on_line = points.map((point, i) => ({ ...point, x: x(i) })).filter((p) => p.line === number);
      const path = (of) => on_line.map((p) => `${p.x.toFixed(1)},${y(of(p)).toFixed(1)}`);
      if (on_line.length < 2) continue;
      const upper = path((p) => p.gap.hi ?? p.gap.value);
      const lower = path((p) => p.gap.lo ?? p.gap.value).reverse();
      root.append(
        svg('polygon', { points: [...upper, ...lower].join(' '), fill: ink(number), opacity: 0.2 }),
        svg('polyline', { points: path((p) => p.gap.value).join(' '), fill: 'none', stroke: ink(number), 'stroke-width': 2 }),
      );
    }
    let labelled_to = -Infinity;
    points.forEach((point, i) => {
      const [at, { gap, run }] = [y(point.gap.value), point];
      const passed = standing(run, chosen.metric) === 'control passed';
      const mark = svg('g', { tabindex: 0, role: 'button', 'aria-label': described(point, chosen), 'data-key': run.id });
      mark.append(svg('rect', { x: x(i) - Math.min(8, space / 2 + 1), y: top, width: Math.min(16, space + 2), height: bottom - top, fill: 'transparent' }));
      if (gap.lo !== null && gap.hi !== null) {
        mark.append(svg('line', { x1: x(i), x2: x(i), y1: y(gap.lo), y2: y(gap.hi), stroke: ink(point.line), 'stroke-width': 2 }));
      }
      // Hollow where nothing can be relied on.
      mark.append(svg('circle', { cx: x(i), cy: at, r: 4, fill: passed ? ink(point.line) : 'var(--card)', stroke: ink(point.line), 'stroke-width': 2 }));
      if (point.step) {
        const [tip, way] = point.change > 0 ? [y(gap.hi ?? gap.value) - 16, 1] : [y(gap.lo ?? gap.value) + 16, -1];
        const corners = [[x(i), tip], [x(i) - 6, tip + 9 * way], [x(i) + 6, tip + 9 * way]];
        mark.append(svg('polygon', { class: 'step', points: corners.join(' '), fill: point.change > 0 ? 'var(--slower)' : 'var(--faster)' }));
      }
      for (const event of ['mouseenter', 'focus']) {
        mark.addEventListener(event, () => ($('point').textContent = described(point, chosen)));
      }
      // The last two points that were chosen are compared.
      const choose = () => set({ a: runs[pair[1]].id, b: run.id });
      mark.addEventListener('click', choose);
      mark.addEventListener('keydown', (event) => {
        if (event.key !== 'Enter' && event.key !== ' ') return;
        event.preventDefault();
        choose();
      });
      root.append(mark);
      const is_last = i > 0 && i === points.length - 1;
      if (x(i) - labelled_to > (is_last ? 100 : 76)) {
        text(x(i) + (is_last ? 12 : 0), bottom + 18, is_last ? 'end' : 'middle', short(run).slice(0, 8));
        labelled_to = x(i);
      }
    });
    return root;
  };

  const head = (...names) =>
    el('thead', {}, el('tr', {}, ...names.map((name) => (name.number ? el('th', { class: 'n' }, name.number) : el('th', {}, name)))));
  const cell = (kind, ...content) => el('td', kind ? { class: kind } : {}, ...content);

  const point_table = (points, chosen, pair) => {
    const body = el('tbody');
    for (const point of points.toReversed()) {
      const { run, gap, family } = point;
      const choose = ['a', 'b'].map((name, which) => {
        const button = el('button', { type: 'button', 'aria-pressed': pair[which] === point.place, 'data-key': `${name} ${run.id}` }, name);
        button.addEventListener('click', () => set({ [name]: run.id }));
        return button;
      });
      body.append(
        el('tr', {},
          cell('', el('code', {}, short(run))), cell('why', run.change), cell('', run.date),
          cell('n', `${ratio(gap.value)}×`), cell('', interval(gap)),
          cell('', chosen.workload === '' ? `${family.covered}/${family.total}` : '1'),
          cell('', String(point.line + 1)), cell('', standing(run, chosen.metric)),
          cell('', point.step ? `${point.change > 0 ? '▲' : '▼'} ${ratio(point.change)}×` : '–'), cell('', ...choose)),
      );
    }
    $('points').replaceChildren(
      head('commit', 'change', 'measured', { number: 'ratio' }, 'interval', 'workloads', 'line', 'control', 'step', 'compare'), body);
  };

  const setting = (run, peer) => {
    const { cpu, cores, profile, corpus } = run.setting;
    const [sum, selection] = [corpus.slice(0, 8), corpus.split(' ').slice(1).join(' ')];
    const version = run.peers[peer] || `${peer}, version not kept`;
    return `${cpu}${cores ? `, ${cores} cores` : ''}, ${profile}, corpus ${sum} ${selection}, ${version}`;
  };
  const line_list = (points, chosen) => {
    const lines = new Map(points.map((point) => [point.line, point]));
    $('lines').replaceChildren(
      ...[...lines].map(([number, { run }]) => {
        const state = standing(run, chosen.metric);
        const alone = state === 'control passed' ? '' : `, by itself: ${state}`;
        const swatch = el('span', { class: 'swatch', style: `background:${ink(number)}` });
        return el('li', {}, swatch, `${number + 1}: ${setting(run, chosen.peer)}${alone}`);
      }),
    );
  };

  // Two runs, row by row. A difference of logarithms reaches from the ends that are nearest to those
  // that are farthest, so that it holds where both intervals do.
  const over_the_same = (a, b) => {
    const mask = (run, family) => run.workloads.filter((_, i) => family.rows[i]).sort().join('\n');
    if (a.family.rows.length && b.family.rows.length) return mask(a.run, a.family) === mask(b.run, b.family);
    const [x, y] = [a, b].map(({ run, family }) => [run.setting.corpus, family.covered, family.total].join());
    return x === y;
  };
  const difference = (a, b) => ({
    value: b.value - a.value,
    lo: b.lo === null || a.hi === null ? null : b.lo - a.hi,
    hi: b.hi === null || a.lo === null ? null : b.hi - a.lo,
  });
  const judged = (change, [a, b], metric) => {
    for (const run of [a, b]) if (standing(run, metric) !== 'control passed') return standing(run, metric);
    if (change.lo === null || change.hi === null) return 'no interval';
    const floor = Math.max(control(a, metric).floor, control(b, metric).floor) * 1e4;
    if (change.lo > 0 && change.value > floor) return '▲ more';
    if (change.hi < 0 && change.value < -floor) return '▼ less';
    return 'within noise';
  };
  const compare = (pair, chosen) => {
    const [a, b] = pair.map((place) => runs[place]);
    const found = [];
    for (const family of b.families) {
      const other = a.families[place_of(a, family)];
      if (!other) continue;
      if (chosen.rows === 'chosen' && !['metric', 'tier', 'peer'].every((k) => family[k] === chosen[k])) continue;
      const add = (workload, before, after) => {
        if (!before || !after) return;
        const change = difference(before, after);
        found.push({ family, workload, before, after, change, word: judged(change, [a, b], family.metric) });
      };
      if (over_the_same({ run: a, family: other }, { run: b, family })) {
        add('', gap_of(other.mean), gap_of(family.mean));
      }
      if (chosen.rows === 'means') continue;
      const places = new Map(a.workloads.map((w, i) => [w, i]));
      b.workloads.forEach((w, i) => add(w, gap_of(other.rows[places.get(w)]), gap_of(family.rows[i])));
    }
    // Largest first; what a control speaks against comes last.
    const doubt = (row) => Number(row.word.startsWith('control'));
    return found.sort((x, y) => doubt(x) - doubt(y) || Math.abs(y.change.value) - Math.abs(x.change.value));
  };

  const unlike = ([a, b]) => {
    const differing = ['cpu', 'cores', 'profile', 'corpus']
      .filter((name) => a.setting[name] !== b.setting[name])
      .map((name) => ({ cpu: 'processor' })[name] ?? name);
    const peers = Object.keys(b.peers).filter((p) => p in a.peers && a.peers[p] !== b.peers[p]);
    return [...differing, ...peers.map((p) => `version of ${p}`)];
  };

  const comparison = (pair, chosen) => {
    const rows = compare(pair, chosen);
    const two = pair.map((place) => runs[place]);
    const notes = [];
    const differing = unlike(two);
    if (differing.length) {
      notes.push(`These runs are unlike: not the same ${differing.join(', ')}. What differs is not the commits' doing alone.`);
    }
    const without = two.filter((run) => !run.families.some((f) => f.rows.length));
    if (without.length) notes.push(`Only means are here of ${without.map(short).join(' and ')}.`);
    $('unlike').replaceChildren(...notes.map((note) => el('p', { class: 'banner' }, note)));
    const count = (word) => rows.filter((row) => row.word === word).length;
    $('compared').textContent = rows.length
      ? `b ÷ a: of ${rows.length} rows ${count('▲ more')} take more, ${count('▼ less')} less, beyond the intervals and noise floors of both runs.`
      : 'The two runs have no such row in common.';
    const body = el('tbody');
    for (const { family, workload, before, after, change, word } of cut ? rows.slice(0, ROWS_SHOWN) : rows) {
      const kind = { '▲ more': 'more', '▼ less': 'less' }[word] ?? 'muted';
      body.append(
        el('tr', {},
          cell(kind, word), cell('n', `${ratio(change.value)}×`), cell('', interval(change)),
          cell('', workload || 'geometric mean'), cell('', titles.get(family.metric)), cell('', `${family.tier} ÷ ${family.peer}`),
          cell('n', `${ratio(before.value)}×`), cell('n', `${ratio(after.value)}×`)),
      );
    }
    $('rows').replaceChildren(
      head('b beside a', { number: 'b ÷ a' }, 'interval', 'workload', 'metric', 'tier ÷ peer', { number: 'a' }, { number: 'b' }), body);
    $('more').hidden = !cut || rows.length <= ROWS_SHOWN;
    $('more').textContent = `Show all ${rows.length} rows`;
  };

  const show = () => {
    const chosen = chosen_now();
    const points = points_of(chosen);
    const pair = pair_of(points);
    for (const [name, value] of Object.entries(chosen)) lists[name].value = value;
    ['a', 'b'].forEach((name, which) => (lists[name].value = runs[pair[which]].id));
    $('caption').textContent =
      `${chosen.tier} ÷ ${chosen.peer}, ${titles.get(chosen.metric)}, ${chosen.workload || 'geometric mean'}, with intervals, by commit; ▲ ▼ are steps.`;
    $('point').textContent = points.length
      ? 'Point at a run for its figures; choose two to compare them.'
      : 'No recorded run has this.';
    $('plot').replaceChildren(...(points.length ? [plot(points, chosen, pair)] : []));
    line_list(points, chosen);
    point_table(points, chosen, pair);
    comparison(pair, chosen);
  };

  const restore = () => {
    state = new URLSearchParams(location.hash.slice(1));
    cut = true;
    show();
  };
  $('more').addEventListener('click', () => {
    cut = false;
    show();
  });
  for (const name of ['metric', 'tier', 'peer', 'workload']) select('choice', name, choices[name]);
  const options = runs.map((run) => [run.id, `${short(run)} ${run.change} (${run.date.slice(0, 10)})`]);
  for (const name of ['a', 'b']) select('pair', name, options);
  select('pair', 'rows', choices.rows);
  addEventListener('hashchange', restore);
  $('explorer').hidden = false;
  restore();
})();
