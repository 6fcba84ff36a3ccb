// The search among the labels: a combobox whose last option adds what is not there.
import { $, make, say, state } from './page.js';
import { t } from './words.js';

const MOST = 50; // options shown

export class Search {
  #input = $('label');
  #list = $('found');
  #found = []; // { label, isNew }
  #chosen = -1;

  /** `take(label, isNew)` gets what is chosen; `leave()` gets the focus back. */
  constructor(take, leave) {
    this.take = take;
    this.leave = leave;
    this.#input.addEventListener('input', () => this.#find());
    this.#input.addEventListener('focus', () => this.#find());
    this.#input.addEventListener('click', () => { if (this.#list.hidden) this.#find(); });
    this.#input.addEventListener('blur', () => this.close());
    this.#input.addEventListener('keydown', (event) => this.#key(event));
    this.#list.addEventListener('pointerdown', (event) => event.preventDefault()); // the focus stays where one types
  }

  close() {
    this.#input.value = '';
    this.#show([]);
  }

  #find() {
    const text = this.#input.value.trim();
    const wanted = text.toLowerCase();
    const rank = (label) => {
      const lower = label.toLowerCase();
      return label === text ? 0 : lower === wanted ? 1 : lower.startsWith(wanted) ? 2 : lower.includes(wanted) ? 3 : 4;
    };
    const ranked = state.labels.map((label) => [rank(label), label]).filter(([r]) => r < 4).sort(([a], [b]) => a - b);
    const found = ranked.slice(0, MOST).map(([, label]) => ({ label, isNew: false }));
    const numbers = state.status?.task === 'regression';
    if (text && found[0]?.label !== text && !(numbers && Number.isNaN(Number(text)))) found.push({ label: text, isNew: true });
    // A label that nobody knows is often a slip: it has to be chosen, it is not simply taken.
    this.#show(found, numbers, found.length && (numbers || !found[0].isNew) ? 0 : -1);
  }

  #show(found, numbers = false, chosen = -1) {
    this.#found = found;
    this.#list.replaceChildren(...found.map(({ label, isNew }, index) => make('li', {
      id: `found${index}`, role: 'option', class: isNew ? 'new' : '', onclick: () => this.take(label, isNew),
    }, isNew ? t(numbers ? 'use' : 'add', { label }) : label)));
    this.#list.hidden = !found.length;
    this.#input.ariaExpanded = String(!!found.length);
    this.#choose(chosen);
  }

  #choose(index) {
    this.#chosen = index;
    [...this.#list.children].forEach((option, i) => { option.ariaSelected = String(i === index); });
    if (index < 0) return this.#input.removeAttribute('aria-activedescendant');
    this.#input.setAttribute('aria-activedescendant', `found${index}`);
    this.#list.children[index].scrollIntoView({ block: 'nearest' });
  }

  #key(event) {
    const many = this.#found.length;
    if (event.isComposing) return; // Enter ends the input method's word
    if (event.key === 'Escape') {
      this.close();
      this.leave();
    } else if (event.key === 'ArrowDown' && many) this.#choose((this.#chosen + 1) % many);
    else if (event.key === 'ArrowUp' && many) this.#choose(this.#chosen > 0 ? this.#chosen - 1 : many - 1);
    else if (event.key === 'Enter') {
      const option = this.#found[this.#chosen];
      if (option && !event.repeat) this.take(option.label, option.isNew);
      else if (many) {
        this.#choose(many - 1);
        say(t('add_again', { label: this.#found[many - 1].label }));
        $('note').textContent = t('add_again', { label: this.#found[many - 1].label });
      }
    } else return;
    event.preventDefault();
  }
}
