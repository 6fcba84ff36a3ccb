// Places in an item: boxes drawn and moved on an image, the list of slots, and the verdicts that
// a person's changes come to.
import { $, chosenBy, keyOf, make, say, state } from './page.js';
import { number, percent, t } from './words.js';

const REGIONS = ['box', 'polygon', 'mask', 'span', 'step', 'key'];
const ANSWERS = ['label', 'text', 'value', 'low', 'high', 'absent'];
const LEAST = 4; // what is drawn smaller, in pixels of the screen, was a click

const pick = (from, names) => Object.fromEntries(names.filter((name) => from[name] != null).map((name) => [name, from[name]]));
const region = (slot) => pick(slot, REGIONS);

/** An answer without its score. */
export const answer = (suggestion) => pick(suggestion, ANSWERS);

/** Whether an item has places of its own, or several answers, rather than one answer of the whole. */
export const isSet = ({ slots, kind }) =>
  kind !== 'broken' && (slots.length > 1 || slots.some((slot) => Object.keys(region(slot)).length) || (!!state.status?.places && kind === 'picture'));

/** What the person has made of the item's slots so far; begins as they were proposed, after an undo as they were decided. */
export function edits(item) {
  if (item.edits) return item.edits;
  const proposed = item.slots.map((slot, index) => ({ slot: index, ranked: slot.ranked, proposed: region(slot), region: region(slot), answer: answer(slot.ranked[0]), removed: false }));
  for (const { slot = null, removed = false, ...one } of item.verdicts ?? []) {
    if (slot === null) proposed.push({ slot, ranked: [], proposed: null, region: region(one), answer: answer(one), removed });
    else Object.assign(proposed[slot], removed ? { removed } : { region: region(one), answer: answer(one) });
  }
  return item.edits = proposed;
}

/** One verdict for each slot, and those that were added. */
export const verdicts = (item) => edits(item).flatMap((edit) => {
  if (edit.slot === null) return edit.removed ? [] : [{ ...edit.region, ...edit.answer }];
  return [edit.removed ? { slot: edit.slot, removed: true } : { slot: edit.slot, ...edit.region, ...edit.answer }];
});

/** The verdicts of who takes everything as it is proposed. */
export const confirming = (item) => item.slots.map((slot, index) => ({ slot: index, ...region(slot), ...answer(slot.ranked[0]) }));

/** What an answer says. */
export const says = ({ label, text, value, absent }) => (absent ? t('absent') : value != null ? number(value, 4) : label ?? text ?? '');

/** A colour for a label, the same everywhere on the page. */
function hue(words) {
  let sum = 0;
  for (const letter of words) sum = (sum * 31 + letter.codePointAt(0)) % 360;
  return (sum * 137.5) % 360;
}

/** Draws places without a way to change them, as on the tiles of the grid. */
export function outline(frame, item) {
  frame.querySelector('svg')?.remove();
  const svg = canvas(frame);
  if (!svg) return;
  item.slots.forEach((slot) => svg.append(...shape(region(slot), says(slot.ranked[0]))));
  frame.append(svg);
}

function canvas(frame) {
  const { naturalWidth: width, naturalHeight: height } = frame.querySelector('img') ?? {};
  return width ? make('svg', { class: 'places', viewBox: `0 0 ${width} ${height}` }) : null;
}

function shape({ box, polygon, mask }, words, more = {}) {
  const style = `--hue: ${hue(words)}`;
  if (mask?.counts) return [make('path', { class: 'mask', style, d: runs(mask), ...more })];
  if (polygon) return [make('polygon', { class: 'mask', style, points: polygon.join(' '), ...more })];
  if (!box) return [];
  const [x1, y1, x2, y2] = box;
  return [make('rect', { class: 'box', style, x: x1, y: y1, width: x2 - x1, height: y2 - y1, ...more })];
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

/** The upper left corner of a region, where its words go. */
function corner({ box, polygon, mask }) {
  if (box) return [box[0], box[1]];
  if (polygon?.length) return [Math.min(...polygon.map(([x]) => x)), Math.min(...polygon.map(([, y]) => y))];
  if (!mask?.counts) return null;
  const first = mask.counts[0] ?? 0;
  return [Math.floor(first / mask.size[0]), first % mask.size[0]];
}

/** The editor of one item's slots, on its image and in the list beside it. */
export class Slots {
  #item = null;
  #chosen = -1; // which of the edits
  #drawing = false; // whether the next stroke on the image draws a box
  #drag = null;
  #last = null; // the answer chosen last: most often the next box is another of its kind

  /** `decide()` confirms all; `changed()` is told of every change. */
  constructor(decide) {
    this.decide = decide;
    new ResizeObserver(() => this.#paint()).observe($('item'));
  }

  /** Comes on screen with an item, or with null leaves it. */
  show(item) {
    if (item !== this.#item) [this.#chosen, this.#drawing, this.#drag] = [-1, false, null];
    this.#item = item;
    $('slots').hidden = $('slotbar').hidden = !item;
    if (!item) return $('slots').replaceChildren();
    if (this.#chosen < 0 && edits(item).length) this.#chosen = 0;
    this.#list();
    $('item').querySelector('.frame img')?.decode().then(() => this.#paint(), () => {});
  }

  get chosen() {
    return this.#item ? edits(this.#item)[this.#chosen] : undefined;
  }

  /** Whether boxes may be drawn. */
  get #drawable() {
    return this.#item?.kind === 'picture';
  }

  /** Gives the chosen slot an answer: what was picked or typed. */
  say(said, isNew = false) {
    const edit = this.chosen;
    if (!edit) return;
    const text = edit.answer.text != null || edit.ranked.some((one) => one.text != null);
    edit.answer = typeof said === 'string' ? (text ? { text: said } : { label: said }) : answer(said);
    edit.removed = false;
    if (isNew) this.#item.isNew = true;
    this.#last = edit.answer;
    say(`${this.#chosen + 1}: ${says(edit.answer)}`);
    this.#update();
  }

  #toggle(index = this.#chosen) {
    const all = edits(this.#item);
    const edit = all[index];
    if (!edit || 'step' in edit.region) return;
    // What was added by the person is gone for good; what was proposed can be put back.
    if (edit.slot === null) {
      all.splice(index, 1);
      this.#chosen = Math.min(index, all.length - 1);
    } else {
      edit.removed = !edit.removed;
      this.#chosen = index;
    }
    say(t(edit.slot !== null && !edit.removed ? 'put_back' : 'removed'));
    this.#update();
  }

  #choose(index) {
    const many = edits(this.#item).length;
    if (!many) return;
    this.#chosen = Math.max(0, Math.min(many - 1, index));
    const edit = this.chosen;
    say(`${this.#chosen + 1}: ${says(edit.answer)}${edit.removed ? `, ${t('removed')}` : ''}`);
    this.#update();
    $('slots').children[this.#chosen]?.scrollIntoView({ block: 'nearest' });
  }

  /** Adds a box, which gets the answer chosen last. */
  add(box) {
    if (!this.#drawable) return;
    const all = edits(this.#item);
    const first = this.#last ?? all.find((edit) => edit.answer.label != null)?.answer ?? { label: state.labels[0] ?? '' };
    all.push({ slot: null, ranked: [], proposed: null, region: { box }, answer: first, removed: false });
    this.#drawing = false;
    this.#chosen = all.length - 1;
    this.#update();
    say(t('added', { label: says(first) }));
  }

  #update() {
    this.#list();
    this.#paint();
  }

  #list() {
    const all = edits(this.#item);
    $('slots').replaceChildren(...all.map((edit, index) => this.#row(edit, index)));
    const stands = all.filter((edit) => !edit.removed).length;
    $('confirmall').replaceChildren(t(stands ? 'confirm_places' : 'confirm_nothing', { n: stands }), make('kbd', {}, '⏎'));
    $('addbox').hidden = !this.#drawable;
    $('addbox').ariaPressed = String(this.#drawing);
    $('slothint').textContent = this.#drawing ? t('draw_hint') : '';
    $('search').hidden = !this.chosen || this.chosen.removed;
  }

  #row(edit, index) {
    const chosen = index === this.#chosen;
    const score = edit.ranked.find((one) => says(one) === says(edit.answer))?.score;
    const moved = edit.proposed && JSON.stringify(edit.proposed) !== JSON.stringify(edit.region);
    const changed = edit.removed ? 'removed' : edit.slot === null ? 'is_added' : says(edit.ranked[0]) !== says(edit.answer) ? 'corrected' : moved ? 'moved' : '';
    const place = 'step' in edit.region ? t('step', { n: String(edit.region.step) }) : edit.region.key ?? (edit.region.span ? this.#quoted(edit.region.span) : '');
    const button = make('button', { class: 'slot', 'aria-current': chosen ? 'true' : null, onclick: () => this.#choose(index) },
      make('span', { class: 'number', style: `--hue: ${hue(says(edit.answer))}` }, String(index + 1)),
      make('span', { class: 'says' }, place && make('small', {}, place), make('b', {}, says(edit.answer))),
      changed ? make('span', { class: 'changed' }, t(changed)) : make('span', { class: 'score' }, score == null ? '' : percent(score)));
    const others = !chosen || edit.removed || edit.ranked.length < 2 ? null : make('div', { class: 'alternatives' }, ...edit.ranked.map((one, place) =>
      make('button', { 'aria-pressed': String(says(one) === says(edit.answer)), onclick: () => this.say(one) }, keyOf(one, place) && make('kbd', {}, keyOf(one, place)), says(one), make('span', { class: 'score' }, percent(one.score)))));
    const remove = 'step' in edit.region ? null : make('button', {
      class: 'quiet remove', 'aria-label': t(edit.removed ? 'restore_place' : 'remove_place', { n: String(index + 1) }), title: t(edit.removed ? 'restore' : 'remove'), onclick: () => this.#toggle(index),
    }, edit.removed ? '↺' : '✕');
    return make('li', { class: edit.removed ? 'gone' : '' }, make('div', { class: 'line' }, button, remove), others);
  }

  /** The bytes of a text that a span means. */
  #quoted([start, end]) {
    return new TextDecoder().decode(new TextEncoder().encode(this.#item.text ?? '').slice(start, end));
  }

  // On the image.
  #paint() {
    const frame = $('item').querySelector('.frame');
    if (!this.#item || !frame) return;
    frame.querySelector('svg')?.remove();
    const svg = canvas(frame);
    if (!svg) return;
    frame.append(svg);
    svg.classList.toggle('drawing', this.#drawing);
    const scale = svg.getScreenCTM()?.a || 1; // pixels of the screen for one of the image
    const all = edits(this.#item);
    // The chosen one last, so that it can be taken hold of where others cover it.
    const order = all.map((_, index) => index).sort((a, b) => (a === this.#chosen) - (b === this.#chosen));
    for (const index of order) {
      const edit = all[index];
      if (edit.removed) continue;
      const chosen = index === this.#chosen;
      svg.append(...shape(edit.region, says(edit.answer), { 'data-slot': index, 'data-chosen': chosen ? '' : null }));
      const at = corner(edit.region);
      if (at) {
        const size = 13 / scale;
        const words = make('text', { x: at[0] + 3 / scale, y: Math.max(at[1] - 4 / scale, size), 'font-size': size, style: `--hue: ${hue(says(edit.answer))}; stroke-width: ${3 / scale}` }, `${index + 1} ${says(edit.answer)}`);
        svg.append(words);
      }
      if (!chosen || !edit.region.box) continue;
      const [x1, y1, x2, y2] = edit.region.box;
      for (const [x, y, name] of [[x1, y1, 'nw'], [x2, y1, 'ne'], [x1, y2, 'sw'], [x2, y2, 'se']]) {
        svg.append(make('circle', { class: `handle ${name}`, 'data-handle': name, cx: x, cy: y, r: 6 / scale }));
        // A finger is larger than what one sees.
        svg.append(make('circle', { class: `grip ${name}`, 'data-handle': name, cx: x, cy: y, r: 18 / scale }));
      }
    }
    svg.onpointerdown = (event) => this.#grasp(event, svg);
    svg.onpointermove = (event) => this.#pull(event, svg);
    svg.onpointerup = svg.onpointercancel = (event) => this.#let(event, svg);
  }

  #point(event, svg) {
    const { x, y } = new DOMPoint(event.clientX, event.clientY).matrixTransform(svg.getScreenCTM().inverse());
    const { width, height } = svg.viewBox.baseVal;
    // A hundredth of a pixel is finer than anybody draws.
    const round = (value, most) => Math.round(Math.max(0, Math.min(most, value)) * 100) / 100;
    return [round(x, width), round(y, height)];
  }

  #grasp(event, svg) {
    if (event.button || !event.isPrimary) return;
    const { slot, handle } = event.target.dataset;
    const at = this.#point(event, svg);
    if (this.#drawing) this.#drag = { kind: 'draw', from: at };
    else if (handle) {
      const [x1, y1, x2, y2] = this.chosen.region.box;
      this.#drag = { kind: 'draw', edit: this.chosen, from: [handle.includes('w') ? x2 : x1, handle.includes('n') ? y2 : y1] };
    } else if (slot !== undefined) {
      this.#chosen = Number(slot);
      this.#update();
      const edit = this.chosen;
      if (edit.region.box) this.#drag = { kind: 'move', edit, from: at, box: edit.region.box };
      svg = $('item').querySelector('.frame svg');
    } else return;
    event.preventDefault();
    if (this.#drag) svg.setPointerCapture(event.pointerId);
  }

  #pull(event, svg) {
    const drag = this.#drag;
    if (!drag) return;
    const [x, y] = this.#point(event, svg);
    const [fromX, fromY] = drag.from;
    if (drag.kind === 'move') {
      const { width, height } = svg.viewBox.baseVal;
      const [x1, y1, x2, y2] = drag.box;
      const within = (by, low, high, most) => Math.max(-low, Math.min(most - high, by));
      const [right, down] = [within(x - fromX, x1, x2, width), within(y - fromY, y1, y2, height)];
      drag.now = [x1 + right, y1 + down, x2 + right, y2 + down].map((side) => Math.round(side * 100) / 100);
    } else drag.now = [Math.min(x, fromX), Math.min(y, fromY), Math.max(x, fromX), Math.max(y, fromY)];
    // Only the box moves while it is pulled: the rest is painted when it is let go.
    let shown = svg.querySelector('.pulled');
    if (!shown) svg.append(shown = make('rect', { class: 'box pulled' }));
    const [x1, y1, x2, y2] = drag.now;
    for (const [name, value] of Object.entries({ x: x1, y: y1, width: x2 - x1, height: y2 - y1 })) shown.setAttribute(name, value);
  }

  #let(event, svg) {
    const drag = this.#drag;
    this.#drag = null;
    if (!drag) return;
    svg.querySelector('.pulled')?.remove();
    const scale = svg.getScreenCTM().a;
    if (event.type === 'pointercancel' || !drag.now) return;
    const [x1, y1, x2, y2] = drag.now;
    if (Math.min(x2 - x1, y2 - y1) * scale < LEAST) return;
    if (!drag.edit) this.add(drag.now);
    else {
      drag.edit.region = { box: drag.now };
      this.#update();
    }
  }

  /** Moves the chosen box, or its lower right corner, by keys: a hundredth of the image at a time. */
  #nudge(key, resize) {
    const box = this.chosen?.region.box;
    const svg = $('item').querySelector('.frame svg');
    if (!box || !svg || this.chosen.removed) return;
    const { width, height } = svg.viewBox.baseVal;
    const step = Math.max(1, Math.round(Math.max(width, height) / 100));
    const right = { ArrowLeft: -step, ArrowRight: step }[key] ?? 0, down = { ArrowUp: -step, ArrowDown: step }[key] ?? 0;
    let [x1, y1, x2, y2] = box;
    if (!resize) [x1, y1] = [Math.max(0, Math.min(width - (x2 - x1), x1 + right)), Math.max(0, Math.min(height - (y2 - y1), y1 + down))];
    [x2, y2] = resize ? [Math.max(x1 + 1, Math.min(width, x2 + right)), Math.max(y1 + 1, Math.min(height, y2 + down))] : [x1 + box[2] - box[0], y1 + box[3] - box[1]];
    this.chosen.region = { box: [x1, y1, x2, y2].map((side) => Math.round(side * 100) / 100) };
    this.#update();
  }

  /** Begins or leaves off drawing. */
  draw(on = !this.#drawing) {
    if (!this.#drawable) return;
    this.#drawing = on;
    this.#update();
    if (on) say(t('draw_hint'));
  }

  /** The keys of an item with slots. Whether it was one of them. */
  key(event) {
    const { key } = event;
    if (key === 'Enter') {
      if (this.#drawing) this.#middle();
      else if (!event.repeat) this.decide();
    } else if (key.startsWith('Arrow') && (event.shiftKey || event.altKey)) this.#nudge(key, event.altKey);
    else if (key === 'ArrowUp' || key === 'ArrowDown') this.#choose(this.#chosen + (key === 'ArrowUp' ? -1 : 1));
    else if (key === 'Delete' || key === 'Backspace') event.repeat || this.#toggle();
    else if (key === '+' && this.#drawable) event.repeat || this.draw();
    else if (key === 'Escape' && this.#drawing) this.draw(false);
    else if (/^[0-9]$/.test(key)) {
      const chosen = this.chosen && chosenBy(key, this.chosen.ranked);
      if (chosen) this.say(chosen);
    }
    else return false;
    event.preventDefault();
    return true;
  }

  /** A box in the middle, for who has no mouse; keys move it. */
  #middle() {
    const { naturalWidth: width, naturalHeight: height } = $('item').querySelector('.frame img') ?? {};
    if (width) this.add([width * 0.375, height * 0.375, width * 0.625, height * 0.625].map((side) => Math.round(side * 100) / 100));
  }
}
