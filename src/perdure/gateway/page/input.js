/** The line that the player types: sending, earlier lines, completion, and typing unseen. */

export class Input {
  #field;
  #completions;
  #history;
  #completion;
  #hooks;
  #leaves = false; // after Escape the next Tab leaves the field

  /** `hooks.send(line)` is whether the line was accepted; `hooks.{interrupt, page, told}` do as they are called. */
  constructor({ form, field, completions }, history, completion, hooks) {
    this.#field = field;
    this.#completions = completions;
    this.#history = history;
    this.#completion = completion;
    this.#hooks = hooks;
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#submit();
    });
    field.addEventListener("keydown", (event) => this.#key(event));
    field.addEventListener("input", () => {
      this.#leaves = false;
      this.#leave();
    });
    document.addEventListener("keydown", (event) => this.#elsewhere(event));
  }

  /** Whether what is typed is not to be seen. */
  get hidden() {
    return this.#field.type === "password";
  }

  /** What is typed is hidden from here on, or no longer. A password half typed never comes to light. */
  hide(hidden) {
    if (hidden === this.hidden) return;
    if (!hidden) this.#field.value = "";
    this.#field.type = hidden ? "password" : "text";
    this.#field.setAttribute("autocomplete", hidden ? "current-password" : "off");
    this.#field.setAttribute("aria-label", hidden ? "Password, typed unseen" : "Your command");
    this.#leave();
  }

  focus() {
    this.#field.focus({ preventScroll: true });
  }

  #submit() {
    const line = this.#field.value;
    if (!this.#hooks.send(line)) return;
    this.#field.value = "";
    this.#leave();
  }

  #key(event) {
    const { key } = event;
    if (event.isComposing || event.altKey || event.ctrlKey || event.metaKey) return;
    const leaves = this.#leaves;
    if (key !== "Shift") this.#leaves = false;
    if (key === "PageUp" || key === "PageDown") this.#hooks.page(key === "PageUp" ? -1 : 1);
    else if (key === "Escape") this.#escape();
    else if (this.hidden) return;
    else if (key === "ArrowUp") this.#put(this.#history.older(this.#field.value, this.#field.selectionStart));
    else if (key === "ArrowDown") this.#put(this.#history.newer());
    else if (key === "Tab" && !event.shiftKey && !leaves) {
      if (!this.#complete()) return; // nothing to complete: Tab goes on to the next thing on the page
    } else return;
    event.preventDefault();
  }

  #put(text) {
    if (text === null) return;
    this.#field.value = text;
    this.#field.setSelectionRange(text.length, text.length);
  }

  #complete() {
    const next = this.#completion.next(this.#field.value, this.#field.selectionStart);
    if (!next) return false;
    this.#field.value = next.text;
    this.#field.setSelectionRange(next.caret, next.caret);
    this.#show(next.candidates, next.at);
    this.#hooks.told(next.candidates[next.at] ?? "as typed");
    return true;
  }

  #escape() {
    const undone = this.#completion.undo();
    if (undone) {
      this.#field.value = undone.text;
      this.#field.setSelectionRange(undone.caret, undone.caret);
    } else if (this.hidden) {
      this.#field.value = "";
      this.#hooks.interrupt();
    }
    this.#show([], 0);
    this.#leaves = true;
  }

  #show(candidates, at) {
    const words = candidates.length < 2 ? [] : candidates;
    const shown = words.map((word, index) => {
      const item = document.createElement("span");
      item.textContent = word;
      item.classList.toggle("chosen", index === at);
      return item;
    });
    this.#completions.replaceChildren(...shown);
  }

  #leave() {
    this.#history.leave();
    this.#completion.leave();
    this.#show([], 0);
  }

  /** Wherever the focus is: Escape comes back here, and so does whoever begins to type. */
  #elsewhere(event) {
    const { key, target } = event;
    if (event.defaultPrevented || target === this.#field || target.closest("dialog")) return;
    if (key === "Escape") {
      event.preventDefault();
      this.focus();
      return;
    }
    const types = key.length === 1 && key !== " " && !event.ctrlKey && !event.altKey && !event.metaKey;
    if (types && !target.closest("input, select, textarea")) this.focus();
  }
}
