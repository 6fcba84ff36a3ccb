// The Decide view: one item large, its suggestions, one key to decide.
import { call, newKey, pause } from './api.js';
import { address, draw, forget, preload, wording } from './item.js';
import { $, afterwards, attempt, belongsElsewhere, chosenBy, explain, fetchLabels, keyOf, labelKeys, make, problem, release, say, state, undoes } from './page.js';
import { Search } from './search.js';
import { answer, isSet, Slots, verdicts } from './slots.js';
import { percent, t } from './words.js';

const HOLD = 6; // items held, so that the next one is here when a decision is saved
const LOW = 4; // with fewer, more are fetched
const held = [];
let at = 0; // which of `held` is on screen
let saving = false;
let fetching = null;
let left = 0;
let drawn; // the id of the item that was drawn last
let last = null; // the item decided last: `similar` looks near it
let since = null; // when the item on screen became visible, or was looked at again
let open = false; // whether this view is the one on screen
let stray = false; // whether a word is being typed with no field open: none of its keys decides

const item = () => held[at];
const back = () => $('item').focus({ preventScroll: true });
const search = new Search(typed, back);
const slots = new Slots(() => decide({}));

/** Comes on screen. */
export async function enter() {
  open = true;
  render();
  await fill();
}

/** Leaves the screen: what was held is for whoever comes next, the grid of this person too. */
export async function leave() {
  stopClock();
  open = false;
  await fetching;
  await release(held.splice(0).map(({ id }) => id));
}

/** The ids held. */
export const ids = () => held.map(({ id }) => id);

/** Fetches until HOLD items are held. */
function fill() {
  if (!open) return Promise.resolve();
  return fetching ??= attempt(async () => {
    const answer = await call('/v1/next', {
      person: state.person, count: HOLD, have: ids(), order: $('order').value, near: last, hide: $('hide').checked,
    });
    left = answer.left;
    const fresh = answer.items.filter(({ id }) => !ids().includes(id));
    held.push(...fresh);
    fresh.forEach(preload);
    if (fresh.length && held.length === fresh.length) show(0);
    else if (held.length) strip();
  }, fill).finally(() => {
    fetching = null;
    if (open && !held.length) render();
  });
}

/** Gives everything back but what is on screen, and fetches anew: the order or the weights are others now. */
export async function refetch(all = false) {
  await fetching;
  if (!open) return;
  const kept = all || !item() ? [] : [item()];
  const gone = ids().filter((id) => id !== kept[0]?.id);
  gone.forEach(forget);
  held.splice(0, held.length, ...kept);
  at = 0;
  await release(gone);
  render();
  await fill();
}

// The clock of the item on screen: it stands still while the page or the item is out of sight.
function startClock() {
  const shown = item();
  preload(shown).then(() => requestAnimationFrame(() => {
    if (open && item() === shown && !document.hidden) since ??= performance.now();
  }));
}
function stopClock() {
  if (since !== null && item()) item().spent = (item().spent ?? 0) + performance.now() - since;
  since = null;
}
document.addEventListener('visibilitychange', () => { document.hidden ? stopClock() : open && item() && startClock(); });

/** Puts one of the held items on screen. */
function show(index) {
  stopClock();
  at = index;
  render();
  if (item()) $('item').focus({ preventScroll: true });
}

function render() {
  const shown = item();
  const done = !shown && !fetching;
  $('done').hidden = !done;
  $('decide').classList.toggle('empty', done);
  // What is being typed about an item stays while it does.
  if (shown?.id !== drawn) {
    search.close();
    stray = false;
  }
  drawn = shown?.id;
  if (!shown) {
    delete $('item').dataset.id;
    $('item').replaceChildren();
    $('item').ariaLabel = null;
    $('name').textContent = fetching ? t('loading') : '';
    for (const id of ['before', 'note', 'suggestions', 'strip']) $(id).replaceChildren();
    slots.show(null);
    $('writing').hidden = true;
    if (done) finished();
    return;
  }
  const set = isSet(shown);
  const free = !set && shown.kind !== 'broken' && state.status?.answers === 'text';
  const [first] = shown.suggestions;
  $('item').replaceChildren(draw(shown));
  $('item').dataset.id = shown.id;
  $('item').ariaLabel = shown.name;
  $('name').textContent = shown.name;
  const { was } = shown; // undefined but after an undo
  $('before').textContent = was === null ? t('was_skipped') : was === undefined ? '' : t('was', { label: was });
  $('suggestions').replaceChildren(...(set ? [] : choices(shown).map(suggestion)));
  $('suggestions').classList.toggle('texts', free);
  $('ask').textContent = t(set ? (shown.kind === 'picture' ? 'what_where' : 'what_each') : free ? 'what_text' : 'what');
  const nothing = set ? (shown.hidden ? 'hidden_places' : shown.pending ? 'pending_places' : 'no_places') : free ? (shown.hidden ? 'hidden_text' : 'no_text') : shown.hidden ? 'hidden_note' : shown.pending ? 'pending' : 'no_suggestion';
  $('note').textContent = shown.kind === 'broken' || (set ? shown.slots.length : first) ? '' : t(nothing);
  $('search').hidden = shown.kind === 'broken' || free;
  $('writing').hidden = !free;
  $('written').value = shown.written ?? '';
  slots.show(set ? shown : null);
  $('label').placeholder = t(state.status?.task === 'regression' ? 'number_hint' : 'search_hint');
  strip();
  startClock();
  if (shown.pending) watch(shown);
}

/** The suggestions, and after them the labels that have a key without being suggested. */
function choices(shown) {
  if (shown.kind === 'broken' || shown.pending || state.labels.length > 10 || !labelKeys()) return shown.suggestions;
  const suggested = new Set(shown.suggestions.map(({ label }) => label));
  return [...shown.suggestions, ...state.labels.filter((label) => !suggested.has(label)).map((label) => ({ label, score: null }))];
}

function suggestion(proposed, index) {
  const [says, more] = wording(proposed);
  const key = keyOf(proposed, index);
  const first = index === 0 && proposed.score !== null;
  const button = make('button', { class: first ? 'suggestion first' : 'suggestion', onclick: () => decide(answer(proposed)) },
    key && make('kbd', {}, key),
    make('span', { class: 'says' }, make('b', {}, says), more && make('small', {}, more)),
    // A number of whose error nothing is known has no score.
    make('span', { class: 'score' }, proposed.score === null || (proposed.value != null && proposed.low == null) ? '' : percent(proposed.score)),
    make('span', { class: 'bar', 'aria-hidden': 'true' }));
  button.style.setProperty('--share', Math.max(0, Math.min(1, proposed.score ?? 0)));
  return make('li', { class: first ? 'first' : '' }, button);
}

function strip() {
  held.forEach((one, index) => {
    one.face ??= make('button', { 'aria-label': one.name, title: one.name, onclick: () => show(held.indexOf(one)) },
      one.kind === 'picture' ? make('img', { src: address(one), alt: '' }) : { row: '▤', text: '¶' }[one.kind] ?? '⚠');
    one.face.ariaCurrent = index === at ? 'true' : null;
  });
  $('strip').replaceChildren(...(held.length < 2 ? [] : held.map(({ face }) => face)));
  $('back').disabled = at === 0;
  $('on').disabled = at >= held.length - 1;
}

function finished() {
  const queue = state.status?.queue;
  $('done').querySelector('h2').textContent = t(left || queue?.leased ? 'waiting' : 'all_done');
  const lines = [['n_decided', queue?.decided], ['n_automatic', queue?.automatic], ['n_skipped', queue?.skipped],
    ['n_broken', queue?.broken], ['n_leased', queue?.leased]].filter(([, n]) => n);
  $('done').querySelector('ul').replaceChildren(...lines.map(([words, n]) => make('li', {}, t(words, { n }))));
}

/** Asks for the suggestions of an item that has none yet, while it is on screen. */
async function watch(shown) {
  while (open && item() === shown && shown.pending) {
    await pause(1000);
    const now = await call(`/v1/items/${shown.id}`).catch(() => shown);
    // Somebody who is typing already is not disturbed.
    if (now.pending || item() !== shown || saving || [$('label'), $('written')].includes(document.activeElement) || shown.edits?.length) continue;
    Object.assign(shown, { suggestions: now.suggestions, slots: now.slots, edits: null, pending: false, weights: now.weights });
    render();
  }
}

/** What was typed: of an item with slots the chosen one's answer, else the decision. */
function typed(label, isNew) {
  if (!isSet(item())) return decide({ label }, isNew);
  slots.say(label, isNew);
  search.close();
  back();
}

/** Decides the item on screen: an answer of the whole, or what has been made of its slots; null skips it. */
function decide(said, isNew = false) {
  const shown = item();
  if (!shown || saving || (said !== null && (shown.kind === 'broken' || (isSet(shown) && shown.pending)))) return;
  stopClock();
  const what = said === null ? { action: 'skip' } : isSet(shown) ? { action: 'label', verdicts: verdicts(shown), new: !!shown.isNew }
    : said.value == null && !said.absent ? { action: 'label', ...said, new: isNew } : { action: 'label', verdicts: [{ slot: 0, ...said }] };
  const decision = {
    item: shown.id, name: shown.name, key: newKey(), ...what,
    seconds: Math.round(shown.spent ?? 0) / 1000, weights: shown.weights ?? null, hidden: !!shown.hidden, grid: false,
  };
  send(shown, decision);
}

/** Sends a decision until the server has it; only then does the next item come. */
async function send(shown, decision) {
  saving = true;
  problem('');
  $('decide').ariaBusy = 'true';
  const slow = setTimeout(() => { $('note').textContent = t('saving'); }, 300);
  try {
    for (let wait = 500; ; wait = Math.min(wait * 2, 8000)) {
      try {
        const answer = await call('/v1/decisions', { person: state.person, decisions: [decision] });
        clearTimeout(slow);
        return saved(shown, decision, answer);
      } catch (refused) {
        clearTimeout(slow);
        if (![0, 502, 503, 504].includes(refused.status)) throw refused;
        // The same key again: should the first have arrived after all, it is not counted twice.
        let now;
        const asked = new Promise((resolve) => { now = resolve; });
        problem(t('offline'), () => now());
        $('note').textContent = '';
        await Promise.race([pause(wait), asked]);
      }
    }
  } catch (refused) {
    if (!('status' in refused)) throw refused;
    $('note').textContent = '';
    saving = false;
    startClock();
    problem(refused.status === 507 ? explain(refused) : t('refused', { why: explain(refused) }), () => send(shown, decision));
  } finally {
    saving = false;
    $('decide').ariaBusy = null;
  }
}

function saved(shown, decision, answer) {
  saving = false;
  const [rejected] = answer.rejected;
  problem(rejected ? t('refused', { why: rejected.error }) : '');
  if (held.includes(shown)) held.splice(held.indexOf(shown), 1);
  forget(shown.id);
  last = shown.id;
  at = Math.min(at, Math.max(0, held.length - 1));
  if (!held.length) fill();
  else if (held.length < LOW) afterwards(fill);
  if (open) show(at);
  if (decision.new && !rejected) fetchLabels();
  announce(rejected ? t('refused', { why: rejected.error }) : decision.action === 'skip' ? t('skipped') : t('saved', { label: decision.label ?? decision.text ?? t('n_places', { n: decision.verdicts.filter((one) => !one.removed).length }) }));
  afterwards(() => document.dispatchEvent(new CustomEvent('status', { detail: answer.status })));
}

function announce(what) {
  const [first] = item()?.suggestions ?? [];
  const next = item() ? ` ${t('next_is', { name: item().name })}` : '';
  say(what + next + (first ? ` ${t('first_is', { label: wording(first)[0], score: percent(first.score) })}` : ''));
}

async function undo() {
  if (saving) return;
  saving = true;
  try {
    const { item: back } = await call('/v1/undo', { person: state.person });
    back.was = back.decided ?? null;
    const known = ids().indexOf(back.id);
    if (known >= 0) held.splice(known, 1);
    held.splice(Math.min(at, held.length), 0, back);
    problem('');
    show(Math.min(at, held.length - 1));
    announce(t('undone'));
  } catch (refused) {
    if (refused.status === 404) {
      say(t('nothing_to_undo'));
      $('note').textContent = t('nothing_to_undo');
    } else if ('status' in refused) problem(explain(refused));
    else throw refused;
  } finally {
    saving = false;
  }
}

/** The keys of this view. Letters do nothing: a word is typed in the search, which `/` opens. */
export function keys(event) {
  if (undoes(event) && (event.key !== ',' || !stray)) {
    event.preventDefault();
    return event.repeat || undo();
  }
  if (belongsElsewhere(event)) return;
  const { key } = event;
  const shown = item();
  const typing = stray;
  stray = /^[\p{L}\p{N}\p{P}\p{S} ]$/u.test(key) && key !== '/' && (typing || /^\p{L}$/u.test(key));
  // The Enter that ends such a word ends it, and no more.
  if (stray || (typing && key === 'Enter')) {
    event.preventDefault();
    if (shown) $('note').textContent = stray ? t('search_first') : '';
    return;
  }
  if (shown && !saving && isSet(shown) && slots.key(event)) return;
  if (key === 'Enter') {
    if (event.repeat || !shown) return;
    event.preventDefault();
    if (shown.suggestions[0]) decide(answer(shown.suggestions[0]));
  } else if (key === '.') event.repeat || decide(null);
  else if (key === 'ArrowLeft' && at > 0 && !saving) show(at - 1);
  else if (key === 'ArrowRight' && at < held.length - 1 && !saving) show(at + 1);
  else if (/^[0-9]$/.test(key) && shown) {
    const chosen = chosenBy(key, shown.suggestions);
    if (chosen && !event.repeat && shown.kind !== 'broken') decide(answer(chosen));
  } else if (key === '/' && !$('writing').hidden) {
    event.preventDefault();
    write();
  } else if (key === '/' && shown && !saving && !$('search').hidden) {
    event.preventDefault();
    $('label').focus();
  }
}

// The field in which a text is corrected: it begins with what was proposed.
function write() {
  const field = $('written');
  if (!field.value) field.value = item()?.suggestions[0]?.text ?? '';
  field.focus();
  field.setSelectionRange(field.value.length, field.value.length);
}
$('written').addEventListener('focus', () => { if (!$('written').value) write(); });
$('written').addEventListener('input', () => { if (item()) item().written = $('written').value; });
$('written').addEventListener('keydown', (event) => {
  if (event.isComposing) return; // Enter ends the input method's word
  if (event.key === 'Enter' && !event.shiftKey) {
    event.preventDefault();
    if (!event.repeat && $('written').value.trim()) decide({ text: $('written').value.trim() });
  } else if (event.key === 'Escape') back();
});
$('usetext').onclick = () => ($('written').value.trim() ? decide({ text: $('written').value.trim() }) : write());
$('confirmall').onclick = () => decide({});
$('addbox').onclick = () => slots.draw();

$('skip').onclick = () => decide(null);
$('undo').onclick = undo;
$('back').onclick = () => at > 0 && show(at - 1);
$('on').onclick = () => at < held.length - 1 && show(at + 1);
for (const id of ['order', 'hide']) {
  $(id).addEventListener('change', async () => {
    await refetch(id === 'hide');
    $('item').focus({ preventScroll: true });
  });
}

/** Every two minutes while somebody is here the leases are renewed. */
export const renew = () => held.length && fill();

/** With nothing on screen, looks whether there is something now. */
export const look = () => { if (open && !held.length && !saving) fill(); };
