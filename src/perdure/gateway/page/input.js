/** The line that the player types: sending, pasting, earlier lines, completion, and typing unseen. */

const LINE_BYTES_MAX = 4096; // the server takes no longer ones
const encoder = new TextEncoder();

/** Why one of `lines` cannot be sent; "" if all can. */
export function tooLong(lines) {
  const bytes = Math.max(...lines.map((line) => encoder.encode(line).length));
  return bytes > LINE_BYTES_MAX ? `Too long: ${bytes} bytes, and a line has ${LINE_BYTES_MAX} at most.` : "";
}

export class Input {
  #field;
  #note;
  #completions;
  #history;
  #completion;
  #hooks;
  #leaves = false; // after Escape the next Tab leaves the field

  /**
   * `hooks.send(lines)` is why the lines were not accepted, or ""; `hooks.several()` is whether several can be sent
   * at once; `hooks.{interrupt, page, told}` do as they are called.
   */
  constructor({ form, field, note, completions }, history, completion, hooks) {
    this.#field = field;
    this.#note = note;
    this.#completions = completions;
    this.#history = history;
    this.#completion = completion;
    this.#hooks = hooks;
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#submit();
    });
    field.addEventListener("keydown", (event) => this.#key(event));
    field.addEventListener("paste", (event) => this.#paste(event));
    field.addEventListener("input", () => {
      this.#leaves = false;
      this.#leave();
      this.tell(this.hidden ? "" : tooLong([field.value]));
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

  /** A word about what was typed, above it; "" for none. It is read out once, however its numbers change. */
  tell(text) {
    const news = text && (this.#note.hidden || this.#note.textContent.split(":")[0] !== text.split(":")[0]);
    this.#note.textContent = text;
    this.#note.hidden = !text;
    if (news) this.#hooks.told(text);
  }

  #submit() {
    if (this.#send([this.#field.value])) this.#field.value = "";
  }

  #send(lines) {
    const why = this.#hooks.send(lines);
    this.tell(why);
    if (!why) this.#leave();
    return !why;
  }

  /** Several lines are sent as such; what stands behind the last line end stays to be typed on. */
  #paste(event) {
    const pasted = event.clipboardData.getData("text/plain").replace(/\r\n?/g, "\n");
    if (this.hidden || !pasted.trimEnd().includes("\n") || !this.#hooks.several()) return;
    event.preventDefault();
    const { value, selectionStart, selectionEnd } = this.#field;
    const lines = (value.slice(0, selectionStart) + pasted + value.slice(selectionEnd)).split("\n");
    const rest = lines.pop();
    if (!this.#send(lines)) return;
    const caret = rest.length - (value.length - selectionEnd);
    this.#field.value = rest;
    this.#field.setSelectionRange(caret, caret);
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
