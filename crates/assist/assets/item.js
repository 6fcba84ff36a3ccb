// One item: its image, row, text or reason, with its places drawn on it.
import { newKey } from './api.js';
import { make } from './page.js';
import { isSet, outline } from './slots.js';
import { number, t } from './words.js';

const images = new Map();
const now = newKey(); // the browser's cache is for this page alone: another queue has other images by the same numbers

/** Where an item's image is. */
export const address = (item) => `${item.image}?page=${now}`;

/** Loads an item's image ahead of need; resolves when it can be painted at once. */
export function preload(item) {
  if (item.kind !== 'picture') return Promise.resolve();
  if (!images.has(item.id)) {
    const image = make('img', { alt: item.name, decoding: 'sync', draggable: false });
    image.src = address(item);
    images.set(item.id, { image, ready: image.decode() });
  }
  return images.get(item.id).ready.catch(() => {});
}

/** Lets go of an image. */
export const forget = (id) => images.delete(id);

/** The item as an element, with its places where it has some. The image is the preloaded one: show it in one place at a time. */
export function draw(item) {
  if (item.kind === 'row') return table(item.row);
  if (item.kind === 'text') return make('div', { class: 'textframe' }, make('p', { dir: 'auto' }, ...marked(item)));
  if (item.kind === 'broken') {
    return make('div', { class: 'broken' }, make('p', {}, `⚠ ${t('broken')}`), make('p', { class: 'why' }, item.why ?? ''));
  }
  preload(item);
  const { image, ready } = images.get(item.id);
  const frame = make('div', { class: 'frame' }, image);
  ready.then(() => {
    // The pixels of a small image are what there is to see: they are kept apart, not blurred.
    image.classList.toggle('small', Math.max(image.naturalWidth, image.naturalHeight) <= 128);
    if (isSet(item) && !frame.querySelector('svg')) outline(frame, item);
  }, () => frame.replaceChildren(make('p', { class: 'broken' }, `⚠ ${t('no_image')}`)));
  return frame;
}

/** A text with the spans of its slots marked; they are counted in bytes. */
function marked({ text, slots }) {
  const bytes = new TextEncoder().encode(text);
  const words = (from, to) => new TextDecoder().decode(bytes.slice(from, to));
  const spans = slots.map(({ span }) => span).filter(Boolean).sort(([a], [b]) => a - b);
  const parts = [];
  let at = 0;
  for (const [from, to] of spans) {
    if (from < at) continue;
    parts.push(words(at, from), make('mark', {}, words(from, to)));
    at = to;
  }
  return [...parts, words(at)];
}

function table(row) {
  const lines = row.map(({ name, value }) => make('tr', {}, make('th', { scope: 'row' }, name), make('td', {}, String(value))));
  const rows = make('div', { class: 'rows' }, make('table', { class: 'row' }, make('tbody', {}, ...lines)));
  const more = make('p', { class: 'more', hidden: true });
  // What is cut off is told, as long as it is.
  const look = () => {
    const end = rows.getBoundingClientRect().bottom;
    const n = lines.filter((line) => line.getBoundingClientRect().bottom > end + 2).length;
    more.hidden = !n;
    more.textContent = t('more_rows', { n });
  };
  rows.addEventListener('scroll', look, { passive: true });
  new ResizeObserver(look).observe(rows);
  return make('div', { class: 'rowframe' }, rows, more);
}

/** What a suggestion says, beside its score: a label, a text, or a number with its limits. */
export function wording({ label, text, value, low, high, absent }) {
  if (absent) return [t('absent'), ''];
  if (value == null) return [label ?? text, ''];
  return [number(value, 4), low == null || high == null ? '' : t('range', { low: number(low, 4), high: number(high, 4) })];
}
