/** The page: which part tells which, and the words for the state of the connection. */

import { Announcer } from "./announcer.js";
import { Away } from "./away.js";
import { Completion } from "./completion.js";
import { Connection } from "./connection.js";
import { Frames } from "./frames.js";
import { History } from "./history.js";
import { Input, tooLong } from "./input.js";
import { Panes } from "./panes.js";
import { render, Scrollback } from "./scrollback.js";
import { Session } from "./session.js";
import { Settings } from "./settings.js";
import { plain, PLAIN } from "./sgr.js";
import { State } from "./state.js";
import { Store } from "./store.js";
import { Typed } from "./typed.js";
import { follow, size } from "./window.js";

const $ = (id) => document.getElementById(id);
const historyStore = new Store("sessionStorage", "perdure.history");
const A_NAME = /^(?!\s*(?:y|yes|n|no)\s*$)\s*\S+\s*$/i;
const PASSWORD_ON_THE_LINE = /^(\s*(?!set(?:tings)?\s)\S+\s+\S+\s+)\S.*$/i; // behind a mistyped word, too

const announcer = new Announcer($("announcer"));
const scrollback = new Scrollback($("scrollback"), $("newest"), (line) => sendFrom(line));
const history = new History(historyStore.get([]));
const completion = new Completion();
const away = new Away({ mark: () => scrollback.notice(""), say: (...lines) => announcer.say(...lines) });
const frames = new Frames(show, shown);
let news = []; // lines of this frame, to be read out
let prompts = true; // whether the player wants the game's
let unseen = 0; // lines that came while the page was hidden
let title = "Perdure";

const settings = new Settings(
  new Store("localStorage", "perdure.settings"),
  $("settings"),
  {
    size: $("set-size"), sizeShown: $("size-shown"), font: $("set-font"), theme: $("set-theme"), contrast: $("set-contrast"),
    motion: $("set-motion"), screenreader: $("set-screenreader"), reset: $("settings-reset"),
  },
  (name) => {
    if (name === "screenreader") session.settings({ screenreader: settings.screenreader });
    else if (name === "size" || name === "font") session.resize(size($("scrollback")));
  },
);

const panes = new Panes(
  {
    root: $("panes"), place: $("place"), placeName: $("place-name"), placeArea: $("place-area"), exits: $("exits"),
    vitals: $("vitals"), who: $("who"), whoList: $("who-list"),
  },
  (line) => sendFrom(line),
  () => (completion.names = [...panes.exits, ...panes.players]),
);

const connection = new Connection(playUrl(), {
  heard: (message) => session.heard(message),
  changed: (now) => state.show(now, session),
  lost: (over) => session.lost(over),
  probe: () => ({ type: "settings" }),
  goesOn: () => session.goesOn,
});

const state = new State(
  {
    dot: $("state"), word: $("state-text"), trouble: $("trouble"), text: $("trouble-text"), button: $("trouble-button"),
  },
  (text) => announcer.say(text),
  () => connection.open(),
  () => input.focus(),
);

const session = new Session(connection, new Store("sessionStorage", "perdure.session"), {
  hello: () => ({ ...size($("scrollback")), screenreader: settings.screenreader, client: "perdure web 1" }),
  greeted: (server) => {
    if (!session.goesOn && !scrollback.empty) scrollback.notice(""); // another visit begins
    title = server;
    $("server").textContent = server;
    named();
  },
  show: (message) => frames.add(message),
  echo: (on) => input.hide(!on),
  took: (n) => scrollback.took(n),
  token: () => {
    named();
    hidePrompt();
  },
  resumed: (missed) => {
    frames.flush();
    away.expect(missed);
  },
  refused: (reason, unsent) => {
    frames.flush();
    showTyped(typed.before(Infinity, false));
    scrollback.waiting(true);
    notice(reason);
    if (unsent) notice(`${unsent} line${unsent === 1 ? " was" : "s were"} not sent.`);
    ended();
  },
  settings: (held) => {
    settings.hold(held);
    prompts = held.prompt !== false;
    hidePrompt();
  },
  bye: (reason) => {
    frames.flush();
    ended();
    return scrollback.endsWith(reason) ? "This visit is over." : reason;
  },
  held: () => {
    frames.flush();
    scrollback.waiting(!session.goesOn);
    if (!session.goesOn) ended();
  },
  problem: (reason, n) => {
    scrollback.refused(n);
    notice(reason);
  },
});

const typed = new Typed(new Store("sessionStorage", "perdure.typed"), session.pending);

const input = new Input(
  { form: $("entry"), field: $("input"), note: $("note"), completions: $("completions") },
  history,
  completion,
  {
    send,
    several: () => Boolean(session.name),
    interrupt: () => session.interrupt(),
    page: (direction) => scrollback.page(direction),
    told: (text) => announcer.say(text),
  },
);

// --- what the player does ---

/** Send lines, all or none: why not, or "". What is hidden, or may hold a password, is in no history. */
function send(lines) {
  const why = tooLong(lines);
  if (why) return why;
  const hidden = session.hidden;
  const numbers = session.lines(lines);
  if (!numbers) return session.goesOn ? tooMany(session.most) : "Not sent: there is no connection.";
  frames.flush();
  if (!hidden) sent(lines.map((text, at) => ({ n: numbers[at], text })));
  scrollback.settle();
  scrollback.toEnd();
  return "";
}

function tooMany({ lines, chars }) {
  return `Not sent: no more than ${lines} lines can wait, of ${chars} characters in all.`;
}

/** Show what was sent, and keep it, once it is known whose it is. */
function sent(lines) {
  const known = Boolean(session.name);
  showTyped(known ? lines : lines.map(({ n, text }) => ({ n, text: text.replace(PASSWORD_ON_THE_LINE, "$1••••••") })));
  if (!known) {
    if (A_NAME.test(lines[0].text)) $("username").value = lines[0].text.trim(); // for password managers
    return;
  }
  typed.add(session.last, lines);
  for (const { text } of lines) {
    history.add(text);
    completion.see(text);
  }
  historyStore.set(history.lines);
}

function showTyped(lines) {
  scrollback.typed(lines);
  if (session.waiting) scrollback.waiting();
}

/** Send a line from a link or a button, and go back to typing, unless that would bring up a phone's keyboard. */
function sendFrom(line) {
  if (session.hidden) return;
  const why = send([line]);
  input.tell(why);
  if (why) return;
  if (matchMedia("(pointer: fine)").matches && !$("exits").contains(document.activeElement)) input.focus();
}

// --- what the server does ---

/** Show one numbered message; how many lines it had. */
function show(message) {
  const before = typed.before(message.serial, message.again);
  if (before.length) showTyped(before);
  if (message.type === "prompt") return showPrompt(message.text);
  if (message.type === "gmcp") {
    panes.take(message.package, message.data);
    return 1;
  }
  if (!message.parts.some((part) => part)) return 1; // nothing of it is for this player
  away.before(message.again);
  const lines = scrollback.show(message.parts, message);
  lines.forEach((line) => completion.see(line));
  message.parts.forEach((part) => part.send && completion.see(part.send)); // what links send can be typed, too
  if (!away.take(lines, message.again) && !message.again) news.push(...lines);
  if (document.hidden && !message.again) {
    unseen += lines.length;
    named();
  }
  return lines.length;
}

/** Everything of a frame is in the document. */
function shown() {
  scrollback.settle();
  announcer.say(...news);
  news = [];
  session.shown();
}

/** The prompt. It is read out only before the login: a game's prompt stands there to be looked at. */
function showPrompt(text) {
  const nodes = [];
  render(text, PLAIN, (node) => nodes.push(node));
  $("prompt").replaceChildren(...nodes);
  if (!session.name) news.push(plain(text));
  return 1;
}

function notice(text) {
  if (!text) return;
  scrollback.notice(text);
  announcer.say(text);
}

/** There is no character any more. */
function ended() {
  typed.clear();
  panes.clear();
  input.hide(false);
  $("prompt").replaceChildren();
  hidePrompt();
  named();
}

/** A game's prompt can be switched off; what the login asks is always shown. */
function hidePrompt() {
  $("prompt").hidden = !prompts && Boolean(session.name);
}

function named() {
  document.title = (unseen ? `(${unseen}) ` : "") + (session.name ? `${session.name} · ${title}` : title);
}

function playUrl() {
  const url = new URL("play", document.baseURI);
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  return url.href;
}

// --- the window ---

document.addEventListener("visibilitychange", () => {
  if (document.hidden) return;
  unseen = 0;
  named();
});
$("text").addEventListener("click", (event) => {
  const touches = !matchMedia("(pointer: fine)").matches;
  if (!touches && getSelection().isCollapsed && !event.target.closest("a, button")) input.focus();
});
$("skip").addEventListener("click", (event) => {
  event.preventDefault();
  input.focus();
});
$("open-settings").addEventListener("click", () => settings.open());
$("settings").addEventListener("close", () => input.focus());
window.addEventListener("beforeunload", () => session.leave()); // Firefox sends nothing later
window.addEventListener("pagehide", () => session.leave());
follow($("scrollback"), (now) => session.resize(now));
if (!session.goesOn) typed.clear();
input.focus();
connection.open();
$("unstarted").remove();
