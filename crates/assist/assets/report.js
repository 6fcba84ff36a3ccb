// The Report view: what the decisions say of the work and of the model.
import { call } from './api.js';
import { $, attempt, make } from './page.js';
import { number, percent, t } from './words.js';

export async function enter() {
  const report = await attempt(() => call('/v1/report'), enter);
  if (report) $('report').replaceChildren(...(report.decisions ? parts(report) : [make('p', { class: 'note' }, t('no_decisions'))]), exports(report));
}

export const leave = () => {};
export const keys = () => {};
export const ids = () => [];

function parts(report) {
  const { seconds, saved, agreement, automatic, rounds, persons, labels } = report;
  const figure = (value, words) => make('div', { class: 'figure' }, make('b', {}, value), make('span', {}, t(words)));
  const plain = (value) => (value == null ? '–' : number(value));
  const minutes = ['confirmed', 'corrected', 'from_nothing'].map((kind) => [kind, seconds[kind]]).filter(([, of]) => of?.count);
  const highest = Math.max(...minutes.map(([, of]) => of.median));
  return [
    make('div', { class: 'figures' },
      figure(number(report.decisions), 'decisions'), figure(plain(report.decisions_per_minute), 'per_minute'),
      automatic.accepted ? figure(plain(report.labels_per_minute), 'labels_per_minute') : null,
      figure(percent(report.confirmed_share), 'confirmed_share'),
      figure(saved.speedup == null ? '–' : `${number(saved.speedup)} ×`, 'speedup'), figure(plain(saved.minutes), 'minutes_saved')),
    saved.speedup == null ? make('p', { class: 'note' }, t('no_baseline')) : null,
    card('seconds', table(['', 'median', 'mean', 'count'], minutes.map(([kind, of]) =>
      [t(kind), number(of.median, 2), number(of.mean, 2), number(of.count)]), minutes.map(([, of]) => of.median / highest))),
    report.places ? card('places', table(['change', 'count'], Object.entries(report.places).map(([change, count]) => [t(change === 'added' ? 'is_added' : change), number(count)]),
      Object.values(report.places).map((count) => count / Math.max(...Object.values(report.places))))) : null,
    card('curve', ...(rounds.length ? learning(rounds) : [make('p', {}, t('no_rounds'))])),
    card('people', table(['name', 'decisions', 'confirmed_short', 'median_seconds'], persons.map((person) =>
      [person.person, number(person.decisions), percent(person.confirmed_share), person.seconds_median == null ? '–' : number(person.seconds_median, 2)]))),
    card('agreement', make('p', {}, agreement.items
      ? t('agree', { share: percent(agreement.share), n: agreement.items, kappa: agreement.kappa == null ? '–' : number(agreement.kappa, 2) }) : t('no_agreement'))),
    automatic.accepted || automatic.audited ? card('automatic', make('p', {}, t('n_automatic', { n: automatic.accepted })),
      make('p', {}, t('audit', { n: automatic.audited, wrong: automatic.audit_errors }))) : null,
    card('by_label', table(['label', 'count'], labels.map(({ label, count }) => [label, number(count)]),
      labels.map(({ count }) => count / Math.max(...labels.map((one) => one.count))))),
  ].filter(Boolean);
}

const card = (title, ...content) => make('section', { class: 'card' }, make('h2', {}, t(title)), ...content);

/** A table; `bars` are lengths (0..1) drawn behind the first column. */
function table(heads, rows, bars) {
  const body = rows.map((cells, index) => {
    const row = make('tr', {}, make('th', { scope: 'row' }, cells[0]), ...cells.slice(1).map((cell) => make('td', {}, cell)));
    if (bars) {
      row.className = 'barred';
      row.style.setProperty('--share', bars[index]);
    }
    return row;
  });
  return make('div', { class: 'wide' }, make('table', {},
    make('thead', {}, make('tr', {}, ...heads.map((head) => (head ? make('th', { scope: 'col' }, t(head)) : make('td'))))), make('tbody', {}, ...body)));
}

const learning = (rounds) => [
  rounds.some(({ accuracy }) => accuracy != null) ? curve(rounds) : null,
  table(['round', 'decisions', 'accuracy'], rounds.map(({ round, decisions, accuracy, taken }) =>
    [number(round), number(decisions), percent(accuracy) + (taken === false ? ` (${t('refused_round')})` : '')])),
];

/** Accuracy against rounds; the table below it says the same in numbers. */
function curve(rounds) {
  const known = rounds.filter(({ accuracy }) => accuracy != null);
  const [width, height, left, base] = [400, 180, 52, 150];
  const low = Math.max(0, Math.floor(Math.min(...known.map(({ accuracy }) => accuracy)) * 20 - 0.2) / 20);
  const x = (index) => left + 24 + (known.length < 2 ? 0 : (index * (width - left - 52)) / (known.length - 1));
  const y = (accuracy) => base - ((accuracy - low) / (1 - low || 1)) * (base - 24);
  const taken = known.map((round, index) => [round, index]).filter(([round]) => round.taken !== false);
  const line = taken.map(([{ accuracy }, index], i) => `${i ? 'L' : 'M'}${x(index)} ${y(accuracy)}`).join('');
  const levels = [low, (low + 1) / 2, 1];
  return make('svg', { class: 'curve', viewBox: `0 0 ${width} ${height}`, role: 'img', 'aria-label': t('curve_of') },
    ...levels.map((level) => make('g', {}, make('line', { x1: left, x2: width - 8, y1: y(level), y2: y(level) }),
      make('text', { x: left - 8, y: y(level) + 4, 'text-anchor': 'end' }, percent(level, 0)))),
    make('path', { d: line }),
    ...known.map(({ round, accuracy, taken: put }, index) => make('g', { class: put === false ? 'refused' : '' },
      make('circle', { cx: x(index), cy: y(accuracy), r: 5 }),
      // What was not taken lies below the line: its figure must not be struck through.
      make('text', { x: x(index), y: y(accuracy) + (put === false ? 22 : -10), 'text-anchor': 'middle' }, percent(accuracy)),
      make('text', { x: x(index), y: base + 22, 'text-anchor': 'middle' }, String(round)))));
}

const exports = ({ formats = ['csv', 'coco', 'parquet'] }) => card('export', make('p', { class: 'actions' }, ...formats.map((format) =>
  make('a', { class: 'button', href: `/v1/export?format=${format}`, download: '' }, { csv: 'CSV', coco: 'COCO', parquet: 'Parquet' }[format] ?? format))));
