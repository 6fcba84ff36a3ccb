// The Grid view: a page of items with the same first suggestion, confirmed at once.
import { call, newKey } from './api.js';
import { draw, forget, preload } from './item.js';
import { confirming, isSet } from './slots.js';
import { $, attempt, belongsElsewhere, explain, make, problem, release, say, state, undoes } from './page.js';
import { percent, t } from './words.js';

const PAGE = 24;
let page = null; // { label, items, left, labels }
let out = new Set(); // ids taken out of this page
let since = 0;
let saving = false;
let confirmed = 0; // how many decisions the last page made: what undo takes back
let spot = 0; // the tile that has the focus

export async function enter(label = page?.label ?? null) {
  await leave();
  const answer = await attempt(() => call('/v1/grid', { person: state.person, count: PAGE, label }), enter);
  if (!answer) return;
  // This label has no more: on with the one that has most.
  if (!answer.items.length && label !== null) return enter(null);
  show(answer);
}

/** Leaves the screen: what is on it goes back. */
export async function leave() {
  confirmed = 0;
  const ids = page?.items.map(({ id }) => id) ?? [];
  if (page) page.items = [];
  await release(ids);
}

function show(answer) {
  page = answer;
  out = new Set();
  spot = 0;
  $('like').replaceChildren(...answer.labels.map(({ label, count }) =>
    make('option', { value: label, selected: label === answer.label }, `${label}  (${count})`)));
  $('tiles').replaceChildren(...answer.items.map((item, index) => {
    preload(item);
    const tile = make('button', {
      class: 'tile', 'aria-pressed': 'false', 'aria-label': item.name, title: item.name, tabIndex: index ? -1 : 0, onclick: () => toggle(index),
    }, draw(item), make('span', { class: 'score' }, percent(Math.min(...item.slots.map(({ ranked: [best] }) => best.score)))), make('span', { class: 'out', 'aria-hidden': 'true' }, '✕'));
    tile.dataset.id = item.id;
    return tile;
  }));
  const empty = !answer.items.length;
  $('gridempty').hidden = !empty;
  $('gridempty').textContent = t('grid_empty');
  $('grid').classList.toggle('empty', empty);
  count();
  $('tiles').firstChild?.focus({ preventScroll: true });
  Promise.all(answer.items.map(preload)).then(() => { since = performance.now(); });
}

function count() {
  const { length } = page.items;
  const n = length - out.size;
  $('confirm').textContent = n || !length ? t('confirm', { n }) : t('put_aside', { n: length });
  $('confirm').disabled = !length;
}

function toggle(index) {
  const tile = $('tiles').children[index];
  const { id, name } = page.items[index];
  const gone = !out.delete(id);
  if (gone) out.add(id);
  tile.ariaPressed = String(gone);
  say(`${name}: ${t(gone ? 'taken_out' : 'put_back')}`);
  step(index);
  count();
}

function step(index) {
  const tiles = $('tiles').children;
  if (!tiles[index]) return;
  tiles[spot].tabIndex = -1;
  spot = index;
  tiles[spot].tabIndex = 0;
  tiles[spot].focus();
}

async function confirm() {
  if (saving || !page?.items.length) return;
  const { label, items } = page;
  const kept = items.filter(({ id }) => !out.has(id));
  const wrong = [...out];
  // The page took this long: each of its decisions has an equal share of it.
  const seconds = Math.round((performance.now() - since) / Math.max(1, kept.length)) / 1000;
  page.decisions ??= new Map(items.map(({ id }) => [id, newKey()])); // a second try is the same decision
  const decisions = kept.map((item) => ({
    item: item.id, name: item.name, key: page.decisions.get(item.id), action: 'label', ...(isSet(item) ? { verdicts: confirming(item) } : { label }),
    new: false, seconds, weights: item.weights, hidden: false, grid: true,
  }));
  saving = true;
  problem('');
  try {
    const answer = decisions.length ? await call('/v1/decisions', { person: state.person, decisions }) : { rejected: [] };
    items.forEach(({ id }) => forget(id));
    await release(wrong, true);
    page.items = [];
    const n = decisions.length - answer.rejected.length;
    await enter(label);
    confirmed = n;
    if (answer.rejected.length) problem(t('refused', { why: answer.rejected[0].error }));
    say(t('saved_n', { n, label }));
    if (answer.status) document.dispatchEvent(new CustomEvent('status', { detail: answer.status }));
  } catch (refused) {
    if (!('status' in refused)) throw refused;
    problem(refused.status === 507 ? explain(refused) : t('refused', { why: explain(refused) }), confirm);
  } finally {
    saving = false;
  }
}

/** Takes the last page back, item by item, and shows it again. */
async function undo() {
  if (saving) return;
  const n = confirmed;
  if (!n) return say(t('nothing_to_undo'));
  saving = true;
  const { label, labels, left } = page;
  await leave();
  const items = [];
  await attempt(async () => {
    while (items.length < n) items.unshift((await call('/v1/undo', { person: state.person })).item);
  });
  saving = false;
  show({ label: items[0]?.suggestions[0]?.label ?? label, labels, left, items });
  say(t('undone_n', { n: items.length }));
}

export function keys(event) {
  if (page && undoes(event)) {
    event.preventDefault();
    return event.repeat || undo();
  }
  if (belongsElsewhere(event) || !page) return;
  const across = getComputedStyle($('tiles')).gridTemplateColumns.split(' ').length;
  const steps = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -across, ArrowDown: across };
  if (event.key in steps) step(spot + steps[event.key]);
  else if (event.key === 'Enter') event.repeat || confirm();
  else if (event.key === ' ') event.repeat || !page.items.length || toggle(spot);
  else return;
  event.preventDefault();
}

$('like').onchange = () => enter($('like').value);
$('confirm').onclick = confirm;
$('gridundo').onclick = undo;

/** The ids on the page. */
export const ids = () => page?.items.map(({ id }) => id) ?? [];
