/** What the browser keeps: one JSON value per name, in a storage that may be full, or forbidden by the browser. */
export class Store {
  #storage;
  #name;

  /** `storage` is "localStorage" (all tabs, for ever) or "sessionStorage" (this tab, through reloads). */
  constructor(storage, name) {
    this.#name = name;
    try {
      this.#storage = window[storage];
    } catch {
      this.#storage = null; // the browser forbids it: the page works, and forgets
    }
  }

  /** The value, or `otherwise` if there is none that can be read. */
  get(otherwise) {
    try {
      return JSON.parse(this.#storage?.getItem(this.#name) ?? "null") ?? otherwise;
    } catch {
      return otherwise;
    }
  }

  /** Keep `value`; null removes it. Whether it is kept now. */
  set(value) {
    try {
      if (value === null) this.#storage?.removeItem(this.#name);
      else this.#storage?.setItem(this.#name, JSON.stringify(value));
      return Boolean(this.#storage);
    } catch {
      return false;
    }
  }
}
