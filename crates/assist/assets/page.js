// What the views share: the state, elements, and how the page speaks to the person.
import { call } from './api.js';
import { t } from './words.js';

/** What all views know. `status` is the server's latest. */
export const state = { person: localStorage.getItem('person') ?? '', status: null, labels: [] };

export const $ = (id) => document.getElementById(id);

/** An element: properties are set as such, `class` and `data-…`, `aria-…` as attributes; strings become text. */
export function make(tag, properties = {}, ...children) {
  const svg = /^(svg|g|rect|path|polygon|circle|text|line|image|title)$/.test(tag);
  const element = svg ? document.createElementNS('http://www.w3.org/2000/svg', tag) : document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value == null) continue;
    // Not as an attribute, which the page's policy forbids.
    if (name === 'style') element.style.cssText = value;
    else if (svg || name === 'class' || name.includes('-')) element.setAttribute(name, value);
    else element[name] = value;
  }
  element.append(...children.filter((child) => child != null));
  return element;
}

/** Has a screen reader say it. */
export function say(text) {
  $('live').textContent = '';
  requestAnimationFrame(() => { $('live').textContent = text; });
}

let again = null;
let passing = false; // whether what is shown goes when the next request is answered

/** Shows what went wrong, with a button where `retry` is given; without a text it goes. */
export function problem(text, retry = null, passes = false) {
  [again, passing] = [retry, passes];
  $('problem').hidden = !text;
  $('problem').querySelector('p').textContent = text ?? '';
  $('problem').querySelector('button').hidden = !retry;
}
$('problem').querySelector('button').addEventListener('click', () => again?.());

/** A refusal in the person's words. */
export function explain(refused) {
  if (refused.status === 0) return t('no_connection');
  if (refused.status === 507) return t(refused.message.startsWith('the store is gone') ? 'store_gone' : 'disk_full');
  if (refused.status === 401) return t('no_token');
  return refused.message;
}

/** Does it; a refusal is shown, and undefined comes back. */
export async function attempt(work, retry = null) {
  try {
    const done = await work();
    if (passing) problem('');
    return done;
  } catch (error) {
    if (!('status' in error)) throw error;
    problem(explain(error), retry && (() => { problem(''); retry(); }), true);
    return undefined;
  }
}

/** Gives held items back, so that others may have them. */
export const release = (items, fromGrid = false) =>
  items.length && call('/v1/release', { person: state.person, items, from_grid: fromGrid }, { keepalive: true }).catch(() => {});

/** Does it once the next frame has been drawn: what one waits for goes first. */
export const afterwards = (work) => requestAnimationFrame(() => setTimeout(work));

/** Fetches the labels anew. */
export const fetchLabels = () => attempt(async () => { state.labels = (await call('/v1/labels')).labels; });

/**
 * The key of each label that has one: with ten labels at most each has a digit, always the same; a
 * label that is a digit has itself, among more labels too. Null where digits count suggestions.
 */
export function labelKeys() {
  const own = state.labels.filter((label) => /^[0-9]$/.test(label));
  if (!state.labels.length || (state.labels.length > 10 && !own.length)) return null;
  const keys = new Map(own.map((label) => [label, label]));
  if (state.labels.length > 10) return keys;
  const free = [...'1234567890'].filter((digit) => !keys.has(digit));
  state.labels.filter((label) => !keys.has(label)).forEach((label, place) => keys.set(label, free[place]));
  return keys;
}

/** The key of the suggestion in a place, or an empty text. */
export const keyOf = (suggestion, place) => {
  const keys = suggestion.label == null ? null : labelKeys();
  return keys ? keys.get(suggestion.label) ?? '' : place < 9 ? String(place + 1) : '';
};

/** What a digit means among suggestions: a label of its own, or the suggestion in that place. */
export function chosenBy(digit, suggestions) {
  const keys = suggestions[0] && suggestions[0].label == null ? null : labelKeys();
  if (!keys) return suggestions[digit - 1];
  const [label] = [...keys].find(([, key]) => key === digit) ?? [];
  return label === undefined ? undefined : { label };
}

/** Whether a key press takes back what was decided last. */
export const undoes = (event) => !event.isComposing && !event.altKey && !event.target.closest('input:not([type=checkbox]), select, textarea, dialog')
  && (event.ctrlKey || event.metaKey ? /^[zZ]$/.test(event.key) && !event.shiftKey : event.key === ',');

/** Whether a key press belongs to what has the focus rather than to the view. */
export function belongsElsewhere(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return true;
  if (event.target.closest('input, select, textarea, dialog, footer')) return true;
  return (event.key === 'Enter' || event.key === ' ') && !!event.target.closest('button, a') && !event.target.closest('.tile');
}
