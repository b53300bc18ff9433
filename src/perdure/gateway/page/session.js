/**
 * The session above the connections: what was shown, what was typed, and the token that ties both together.
 *
 * The server numbers what it shows (serials); whatever is not beyond the last one is passed over. The page numbers
 * what is typed (n); lines that the server did not take are sent again when the session goes on. The token is kept
 * for this tab alone, so a reload of the page goes on as well: with `last` 0, for it has nothing left to show.
 */

const ACK_PAUSE_S = 0.4;
const ACK_AT_ONCE = 16;
const SENT_MAX = 100; // lines on their way at once: the gateway ends what sends more than 128
const WAITING_MAX = 100; // lines while there is no connection
const QUEUED_MAX = 1000; // and while there is one: somebody may paste as many
const QUEUED_CHARS_MAX = 100_000; // they are kept for a reload, each time that one is taken

export class Session {
  #connection;
  #store;
  #hooks;
  #last = 0; // serial of the last thing received
  #acked = 0;
  #ackTimer = 0;
  #n = 0; // of the last line typed
  #sent = 0; // of the last line sent on this connection
  #pending = []; // lines that the server has not taken: {n, text, hidden}
  #token; // {n, token, name} or null
  #live = false; // lines may be sent
  #hidden = false; // what is typed is not to be seen

  /**
   * `store` keeps the token. `hooks.hello()` is what the server is told of the page, and
   * hooks.{show, echo, took, token, resumed, refused, settings, bye, greeted, held, problem} are told what happens;
   * hooks.bye(reason) returns what the player is told.
   */
  constructor(connection, store, hooks) {
    this.#connection = connection;
    this.#store = store;
    this.#hooks = hooks;
    const kept = store.get({});
    this.#token = kept.token ?? null;
    if (this.#token) {
      this.#n = kept.n ?? 0;
      this.#pending = kept.pending ?? [];
    }
  }

  /** Whose session this is; "" before the login. */
  get name() {
    return this.#token?.name ?? "";
  }

  /** Whether there is a session that outlives this connection. */
  get goesOn() {
    return this.#token !== null;
  }

  /** How many lines wait to be sent. */
  get waiting() {
    return this.#live ? 0 : this.#pending.length;
  }

  /** Lines that wait, as they were typed; for a page that was loaded anew. */
  get pending() {
    return [...this.#pending];
  }

  /** How much may wait to be taken: {lines, chars}. */
  get most() {
    return { lines: this.#live ? QUEUED_MAX : WAITING_MAX, chars: QUEUED_CHARS_MAX };
  }

  /** Serial of the last thing received. */
  get last() {
    return this.#last;
  }

  /** Whether the server asked not to show what is typed. */
  get hidden() {
    return this.#hidden;
  }

  // --- what the player does ---

  /** The player typed these; their numbers, or null if they cannot even wait: too many do, or nobody is logged in. */
  lines(texts) {
    if (!this.#live && !this.goesOn) return null;
    const added = texts.map((text, at) => ({ n: this.#n + 1 + at, text, hidden: this.#hidden }));
    const all = [...this.#pending, ...added];
    const chars = all.reduce((sum, { text }) => sum + text.length, 0);
    if (all.length > this.most.lines || chars > this.most.chars) return null;
    this.#n += added.length;
    this.#pending = all;
    this.#keep();
    this.#send();
    return added.map(({ n }) => n);
  }

  /** The player wants out of what is being asked. */
  interrupt() {
    if (this.#live) this.#connection.send({ type: "interrupt" });
  }

  /** The window has another size now. */
  resize({ columns, rows }) {
    if (this.#live) this.#connection.send({ type: "resize", columns, rows });
  }

  /** The player changed these settings that the server knows, too. */
  settings(changed) {
    if (this.#live) this.#connection.send({ type: "settings", ...changed });
  }

  /** Everything that was received is shown: the server hears of it soon, or at once if much is due. */
  shown() {
    const due = this.#last - this.#acked;
    if (due >= ACK_AT_ONCE) this.#ack();
    else if (due > 0 && !this.#ackTimer) this.#ackTimer = setTimeout(() => this.#ack(), ACK_PAUSE_S * 1000);
  }

  /** Tell the server now what is shown: the page goes. */
  leave() {
    this.#ack();
  }

  #ack() {
    clearTimeout(this.#ackTimer);
    this.#ackTimer = 0;
    if (!this.#live || this.#last === this.#acked) return;
    this.#acked = this.#last;
    this.#connection.send({ type: "ack", serial: this.#last });
  }

  /** Send the lines that wait, as many as may be on their way; the next ones follow when these are taken. */
  #send() {
    if (!this.#live) return;
    const waiting = this.#pending.filter(({ n }) => n > this.#sent);
    const free = SENT_MAX - (this.#pending.length - waiting.length);
    for (const { n, text } of waiting.slice(0, Math.max(0, free))) {
      this.#connection.send({ type: "line", n, text }, true);
      this.#sent = n;
    }
  }

  // --- what the connection does ---

  /** The connection is lost. `over`: and so is the session; it ended, or is played from another place. */
  lost(over) {
    this.#live = false;
    if (over) this.#forget();
    if (!this.goesOn) this.#begin();
    this.#hooks.held();
  }

  /** The server's next message. */
  heard(message) {
    if (message.serial !== undefined) {
      if (message.serial <= this.#last) return;
      this.#last = message.serial;
    }
    this.#KINDS[message.type]?.(message);
  }

  #KINDS = {
    hello: (message) => {
      if (message.protocol !== 1) {
        this.#connection.stop("The server speaks another protocol than this page. Load the page again.");
        return;
      }
      this.#hooks.greeted(message.server);
      const going = this.#token ? { token: this.#token.token, last: this.#last } : {};
      this.#acked = this.#last; // the server knows by that
      this.#connection.send({ type: "hello", ...this.#hooks.hello(), ...going }, true);
      if (!this.#token) this.#go();
    },
    text: (message) => this.#hooks.show(message),
    prompt: (message) => this.#hooks.show(message),
    gmcp: (message) => this.#hooks.show(message),
    echo: ({ on }) => {
      this.#hidden = !on;
      this.#hooks.echo(on);
    },
    took: ({ n }) => this.#took(n),
    token: ({ n, token, name }) => {
      this.#token = { n, token, name };
      this.#keep();
      this.#connection.send({ type: "confirm", n });
      this.#hooks.token(name);
    },
    resumed: ({ missed, took }) => {
      this.#took(took);
      this.#pending.forEach((line, at) => (line.n = took + 1 + at)); // no gap, whatever this page has forgotten
      this.#n = took + this.#pending.length;
      this.#hooks.resumed(missed);
      this.#go();
    },
    refused: ({ reason }) => {
      const unsent = this.#pending.length;
      this.#forget();
      this.#begin();
      this.#hooks.refused(reason, unsent);
      this.#go();
    },
    bye: ({ reason }) => {
      this.#forget();
      this.#begin();
      this.#live = false;
      this.#connection.stop(this.#hooks.bye(reason));
    },
    settings: (message) => this.#hooks.settings(message),
    problem: ({ reason, n }) => {
      this.#pending = this.#pending.filter((line) => line.n !== n);
      this.#keep();
      this.#hooks.problem(reason, n);
      this.#send();
    },
  };

  #go() {
    this.#live = true;
    this.#connection.settle();
    this.#sent = 0;
    this.#send();
  }

  #took(n) {
    this.#pending = this.#pending.filter((line) => line.n > n);
    this.#keep();
    this.#hooks.took(n);
    this.#send();
  }

  /** Everything counts from the beginning: the next session is another one. */
  #begin() {
    this.#last = this.#acked = this.#n = 0;
    this.#pending = [];
    this.#hidden = false;
  }

  #forget() {
    this.#token = null;
    this.#keep();
  }

  /** What must outlive a reload. Without a token there is nothing to go on with; a hidden line is kept nowhere. */
  #keep() {
    const pending = this.#pending.filter((line) => !line.hidden);
    this.#store.set(this.#token && { token: this.#token, n: this.#n, pending });
  }
}
