/** Stores a song's mix and loop in the browser, by the job's id instead of the address. */

const PREFIX = "stemcord:";

export function memory(pathname) {
  const [, id = ""] = /\/m\/([a-z0-9]+)\./.exec(pathname) ?? [];
  const storage = () => {
    // Reading it throws in frames without an origin and where cookies are blocked.
    try {
      return window.localStorage;
    } catch {
      return null;
    }
  };
  return {
    read() {
      try {
        return JSON.parse(storage()?.getItem(PREFIX + id) ?? "null");
      } catch {
        return null;
      }
    },
    write(facts) {
      try {
        storage()?.setItem(PREFIX + id, JSON.stringify(facts));
      } catch {
        // The storage is full or blocked, so the mix lasts only as long as the page.
      }
    },
  };
}
