// One item: its picture, row or reason, and a suggestion drawn on it.
import { newKey } from './api.js';
import { make } from './page.js';
import { number, t } from './words.js';

const pictures = new Map();
const now = newKey(); // the browser's cache is for this page alone: another queue has other pictures by the same numbers

/** Where an item's picture is. */
export const address = (item) => `${item.picture}?page=${now}`;

/** Loads an item's picture ahead of need; resolves when it can be painted at once. */
export function preload(item) {
  if (item.kind !== 'picture') return Promise.resolve();
  if (!pictures.has(item.id)) {
    const picture = make('img', { alt: item.name, decoding: 'sync', draggable: false });
    picture.src = address(item);
    pictures.set(item.id, { picture, ready: picture.decode() });
  }
  return pictures.get(item.id).ready.catch(() => {});
}

/** Lets go of a picture. */
export const forget = (id) => pictures.delete(id);

/** The item as an element. The picture is the preloaded one: show it in one place at a time. */
export function draw(item, suggestion) {
  if (item.kind === 'row') return table(item.row);
  if (item.kind === 'broken') {
    return make('div', { class: 'broken' }, make('p', {}, `⚠ ${t('broken')}`), make('p', { class: 'why' }, item.why ?? ''));
  }
  preload(item);
  const { picture, ready } = pictures.get(item.id);
  const frame = make('div', { class: 'frame' }, picture);
  ready.then(() => {
    // The pixels of a small picture are what there is to see: they are kept apart, not blurred.
    picture.classList.toggle('small', Math.max(picture.naturalWidth, picture.naturalHeight) <= 128);
    overlay(frame, suggestion);
  }, () => frame.replaceChildren(make('p', { class: 'broken' }, `⚠ ${t('no_picture')}`)));
  return frame;
}

/** Draws a suggestion's box and mask on the picture in this frame, in place of what is drawn there. */
export function overlay(frame, suggestion) {
  frame.querySelector('svg')?.remove();
  const { naturalWidth: width, naturalHeight: height } = frame.querySelector('img') ?? {};
  const parts = [];
  const { box, mask, label } = suggestion ?? {};
  if (mask?.counts) parts.push(make('path', { class: 'mask', d: runs(mask) }));
  else if (Array.isArray(mask)) for (const ring of mask) parts.push(make('polygon', { class: 'mask', points: ring.join(' ') }));
  if (box) {
    const [x, y, w, h] = box;
    parts.push(make('rect', { class: 'box', x, y, width: w, height: h }));
  }
  if (!parts.length || !width) return;
  frame.append(make('svg', { viewBox: `0 0 ${width} ${height}`, 'aria-hidden': 'true' }, make('title', {}, label), ...parts));
}

/** COCO's run lengths (down the columns, background first) as a path of upright bars. */
function runs({ size: [height], counts }) {
  let at = 0, path = '';
  counts.forEach((count, index) => {
    for (let rest = index % 2 ? count : 0, from = at; rest > 0;) {
      const y = from % height, length = Math.min(rest, height - y);
      path += `M${Math.floor(from / height)} ${y}h1v${length}h-1z`;
      from += length;
      rest -= length;
    }
    at += count;
  });
  return path;
}

function table(row) {
  return make('div', { class: 'rowframe' }, make('table', { class: 'row' }, make('tbody', {}, ...row.map(({ name, value }) =>
    make('tr', {}, make('th', { scope: 'row' }, name), make('td', {}, String(value)))))));
}

/** What a suggestion says, beside its score: a label, a text, or a number with its limits. */
export function wording(suggestion) {
  if (suggestion.value != null) {
    const { value, low, high } = suggestion;
    const limits = low == null || high == null ? '' : t('range', { low: number(low, 4), high: number(high, 4) });
    return [number(value, 4), limits];
  }
  const { text, label } = suggestion;
  return text && text !== label ? [label, text] : [label, ''];
}
