/** The sandbox's control API over HTTP and its live events over a WebSocket. */

/** A refusal by the sandbox or the bot, with a message for the user. */
export class Refused extends Error {}

/** Return the message of a refusal. Rethrow anything else, which is a bug in the page. */
export function refusal(error) {
  if (error instanceof Refused) return error.message;
  throw error;
}

async function call(method, path, body) {
  const isForm = body instanceof FormData;
  let answer;
  try {
    answer = await fetch(`/sandbox/${path}`, {
      method,
      headers: body && !isForm ? { "Content-Type": "application/json" } : {},
      body: isForm ? body : body && JSON.stringify(body),
    });
  } catch (cause) {
    throw new Refused("The sandbox cannot be reached.", { cause });
  }
  const data = await answer.json().catch(() => ({}));
  if (data?.error) throw new Refused(String(data.error.message ?? data.error));
  if (!answer.ok) throw new Refused(`The sandbox refused this (${answer.status}).`);
  return data;
}

const query = (values) => new URLSearchParams(values).toString();

export const api = {
  state: () => call("GET", "state"),
  messages: (channel, as) => call("GET", `messages?${query({ channel, as })}`),
  say: (message) => call("POST", "messages", message),
  remove: (id, as) => call("DELETE", `messages/${encodeURIComponent(id)}?${query({ as })}`),
  command: (use) => call("POST", "commands", use),
  autocomplete: (ask) => call("POST", "autocomplete", ask),
  setLocale: (user, locale) => call("POST", "locale", { as: user.id, locale }),
  press: (press) => call("POST", "components", press),
  answerModal: (answer) => call("POST", "modals", answer),
  vendors: () => call("GET", "vendors"),
  setVendor: (name, settings) => call("POST", `vendors/${encodeURIComponent(name)}`, settings),
  cluster: () => call("GET", "cluster"),
  kill: (name) => call("POST", `cluster/${encodeURIComponent(name)}/kill`),
  advanceClock: (seconds) => call("POST", "clock", { advance_s: seconds }),
  upload(file) {
    const form = new FormData();
    form.append("file", file, file.name);
    return call("POST", "uploads", form);
  },
};

/**
 * Return a CDN address that this page may load. Files of the sandbox become same-origin because the
 * page may be open on `localhost` while the bot was told `127.0.0.1`.
 */
export function mediaUrl(address) {
  const url = URL.parse(address, location.href);
  if (!url) return "";
  const isLoopback = ["localhost", "127.0.0.1", "[::1]"].includes(url.hostname);
  return isLoopback && url.port === location.port ? url.pathname + url.search : url.href;
}

const FIRST_RETRY_MS = 300;
const LAST_RETRY_MS = 5_000;

/** Receive the events that a user can see, reconnecting until closed. */
export class EventStream {
  #socket = null;
  #retry = 0;
  #waitMs = FIRST_RETRY_MS;

  constructor({ as, onEvent, onOpen, onLost }) {
    Object.assign(this, { as, onEvent, onOpen, onLost });
    this.#connect();
  }

  close() {
    clearTimeout(this.#retry);
    const socket = this.#socket;
    this.#socket = null;
    socket.close();
  }

  #connect() {
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    const socket = new WebSocket(`${scheme}://${location.host}/sandbox/events?${query({ as: this.as })}`);
    this.#socket = socket;
    socket.addEventListener("open", () => {
      if (socket !== this.#socket) return;
      this.#waitMs = FIRST_RETRY_MS;
      this.onOpen();
    });
    socket.addEventListener(
      "message",
      ({ data }) => socket === this.#socket && this.onEvent(JSON.parse(data)),
    );
    socket.addEventListener("close", () => socket === this.#socket && this.#lost());
  }

  #lost() {
    this.onLost();
    this.#retry = setTimeout(() => this.#connect(), this.#waitMs);
    this.#waitMs = Math.min(this.#waitMs * 2, LAST_RETRY_MS);
  }
}
